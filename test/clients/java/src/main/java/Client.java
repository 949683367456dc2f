import io.petsage.client.ApiClient;
import io.petsage.client.ApiException;
import io.petsage.client.ApiResponse;
import io.petsage.client.api.HealthMonitoringApi;
import io.petsage.client.api.SystemHealthApi;
import io.petsage.client.model.BuilderResponse;
import io.petsage.client.model.EchoRequest;
import io.petsage.client.model.EchoResponse;
import io.petsage.client.model.HTTPValidationError;
import io.petsage.client.model.InfoResponse;
import io.petsage.client.model.LivenessResponse;
import io.petsage.client.model.LoggingResponse;
import io.petsage.client.model.OperationalResponse;
import io.petsage.client.model.ReadyResponse;
import java.util.Objects;

/** Calls every operation of PetSage API and compares the responses with the contract. */
public class Client {
  public static void main(String[] args) throws Exception {
    String url = Objects.requireNonNullElse(System.getenv("PETSAGE_URL"), "http://localhost:8000");
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    SystemHealthApi systemHealth = new SystemHealthApi(client);
    HealthMonitoringApi healthMonitoring = new HealthMonitoringApi(client);

    ReadyResponse readiness = expectOk(systemHealth.getReadinessWithHttpInfo());
    expect(readiness.getStatus() != null, true);
    expect(readiness.getChecks().get("log").getValue(), "up");

    InfoResponse info = expectOk(systemHealth.getInfoWithHttpInfo());
    expect(info.getName(), "petsage-api");
    expect(info.getStartedAt().getOffset().getTotalSeconds(), 0);

    OperationalResponse operation = expectOk(healthMonitoring.checkOperationWithHttpInfo());
    expect(
        operation,
        new OperationalResponse()
            .status(OperationalResponse.StatusEnum.OK)
            .message("PetSage Smoke Test: Service is operational.")
            .timestamp(Objects.requireNonNull(operation.getTimestamp())));

    expect(
        expectOk(systemHealth.checkLivenessWithHttpInfo()),
        new LivenessResponse()
            .status(LivenessResponse.StatusEnum.OK)
            .message("PetSage API is alive and running!"));

    expect(
        expectOk(systemHealth.checkBuilderWithHttpInfo()),
        new BuilderResponse()
            .status(BuilderResponse.StatusEnum.OK)
            .feature(BuilderResponse.FeatureEnum.SMOKE_TEST)
            .message("PetSage builder is functional!"));

    LoggingResponse logging = expectOk(healthMonitoring.checkLoggingWithHttpInfo());
    expect(
        logging,
        new LoggingResponse()
            .status(LoggingResponse.StatusEnum.OK)
            .message("PetSage service is running and logging is operational.")
            .timestamp(Objects.requireNonNull(logging.getTimestamp())));

    EchoResponse echo =
        expectOk(systemHealth.echoWithHttpInfo(new EchoRequest().ping("hello 🐾")));
    expect(
        echo,
        new EchoResponse()
            .status(EchoResponse.StatusEnum.OK)
            .message("PetSage system is operational.")
            .pong("hello 🐾")
            .timestamp(Objects.requireNonNull(echo.getTimestamp())));

    try {
      systemHealth.echo(new EchoRequest());
      throw new AssertionError("expected 422");
    } catch (ApiException error) {
      expect(error.getCode(), 422);
      expect(
          error.getResponseBody(),
          "{\"detail\":[{\"type\":\"string_type\",\"loc\":[\"body\",\"ping\"],"
              + "\"msg\":\"Input should be a valid string\",\"input\":null}]}");
      HTTPValidationError invalid =
          client.getObjectMapper().readValue(error.getResponseBody(), HTTPValidationError.class);
      expect(invalid.getDetail().get(0).getLoc().get(1).getActualInstance(), "ping");
    }
  }

  private static <T> T expectOk(ApiResponse<T> response) {
    expect(response.getStatusCode(), 200);
    return response.getData();
  }

  private static void expect(Object actual, Object expected) {
    if (!actual.equals(expected)) {
      throw new AssertionError("expected " + expected + ", got " + actual);
    }
  }
}
