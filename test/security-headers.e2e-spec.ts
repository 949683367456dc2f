import { createTestApp, type TestApp } from './fixtures/app.js';
import { parseResponses, sendRaw } from './fixtures/http.js';

/** What OWASP's Secure Headers Project and Helmet recommend for an API. */
const SECURITY_HEADERS = [
  "Content-Security-Policy: default-src 'none';frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy: same-origin',
  'Cross-Origin-Resource-Policy: same-origin',
  'Origin-Agent-Cluster: ?1',
  'Referrer-Policy: no-referrer',
  'Strict-Transport-Security: max-age=31536000; includeSubDomains',
  'X-Content-Type-Options: nosniff',
  'X-DNS-Prefetch-Control: off',
  'X-Download-Options: noopen',
  'X-Frame-Options: DENY',
  'X-Permitted-Cross-Domain-Policies: none',
  'X-XSS-Protection: 0',
];
const OTHER_HEADERS =
  /^(Accept-Ranges|Allow|Cache-Control|Connection|Content-Length|Content-Type|Date|ETag|Keep-Alive|Last-Modified|Vary|X-Request-Id):/i;

let app: TestApp['app'];

beforeAll(async () => {
  ({ app } = await createTestApp());
});

/** Sends a request and returns the status and all header lines that may be security headers. */
async function readSecurityHeaders(requestLines: string): Promise<[number, string[]]> {
  const [requestLine, ...headers] = requestLines.split('\r\n');
  const lines = [requestLine, 'Host: a', 'Connection: close', ...headers, '', ''];
  const [response] = parseResponses(await sendRaw(app, lines.join('\r\n')));
  if (!response) throw new Error('No response');
  const { status, headers: received } = response;
  return [status, received.filter((line) => !OTHER_HEADERS.test(line)).toSorted()];
}

describe('the security headers', () => {
  it.each([
    [200, 'GET /system/healthz HTTP/1.1'],
    [200, 'HEAD /system/healthz HTTP/1.1'],
    [200, 'GET /system/healthz HTTP/1.0'],
    [200, 'GET /openapi.json HTTP/1.1'],
    [200, 'GET /metrics HTTP/1.1'],
    [405, 'OPTIONS /smoke-test HTTP/1.1'],
    [404, 'GET /nowhere HTTP/1.1'],
    [405, 'DELETE /smoke-test HTTP/1.1'],
    [422, 'POST /api/v1/system/smoke-test HTTP/1.1'],
    [400, 'GET /%zz HTTP/1.1'],
    [400, 'GET nowhere HTTP/1.1'],
    [400, 'GET / HTTP/1.1\r\nHost: b'],
    [400, 'GET / HTTP/1.1\r\nno header'],
    [404, 'CONNECT a:1 HTTP/1.1'],
  ])('are each sent once with %i to %j', async (status, requestLines) => {
    expect(await readSecurityHeaders(requestLines)).toEqual([status, SECURITY_HEADERS]);
  });

  it.each([
    [200, 'GET /docs HTTP/1.1'],
    [200, 'GET /docs/swagger-ui.css HTTP/1.1'],
    [404, 'GET /docs/nothing HTTP/1.1'],
  ])('allow Swagger UI to run with %i to %j', async (status, requestLines) => {
    const docs = SECURITY_HEADERS.filter(
      (line) => !/^(Cross-Origin-Opener|Origin-Agent)/.test(line),
    );
    docs[0] =
      "Content-Security-Policy: default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data: blob:;connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'";
    expect(await readSecurityHeaders(requestLines)).toEqual([status, docs]);
  });
});
