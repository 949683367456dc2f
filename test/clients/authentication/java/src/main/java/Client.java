import io.petsage.client.ApiClient;
import io.petsage.client.ApiException;
import io.petsage.client.api.OwnersApi;
import io.petsage.client.model.Owner;
import java.util.Objects;

/** Calls an operation that requires a token. */
public class Client {
  public static void main(String[] args) throws Exception {
    String url = Objects.requireNonNullElse(System.getenv("PETSAGE_URL"), "http://localhost:8000");
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    expectError(new OwnersApi(client)::getOwner, 401, "{\"detail\":\"Not authenticated\"}");

    String token = System.getenv("PETSAGE_TOKEN");
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    OwnersApi owners = new OwnersApi(client);
    expect(owners.getOwner(), new Owner().sub("alice"));
    expectError(owners::registerOwner, 403, "{\"detail\":\"Not enough permissions\"}");
  }

  private interface Call {
    void run() throws ApiException;
  }

  private static void expectError(Call call, int status, String body) {
    try {
      call.run();
    } catch (ApiException error) {
      expect(error.getCode(), status);
      expect(error.getResponseBody(), body);
      return;
    }
    throw new AssertionError("expected " + status);
  }

  private static void expect(Object actual, Object expected) {
    if (!actual.equals(expected)) {
      throw new AssertionError("expected " + expected + ", got " + actual);
    }
  }
}
