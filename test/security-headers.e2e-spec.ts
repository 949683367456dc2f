import { createTestApp, type TestApp } from './fixtures/app.js';
import { sendRaw } from './fixtures/http.js';

/** To the byte: what OWASP's header project and Helmet advise for an API. */
const ALL = [
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
const OTHERS = new Set([
  ...['accept-ranges', 'allow', 'cache-control', 'connection', 'content-length'],
  ...['content-type', 'date', 'etag', 'keep-alive', 'last-modified', 'vary', 'x-request-id'],
]);

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':')).toLowerCase();
}

let app: TestApp['app'];

beforeAll(async () => {
  ({ app } = await createTestApp());
});

/** The status of the first answer and its headers, but those that every API may have, sorted. */
async function headersOf(request: string): Promise<[status: number, lines: string[]]> {
  const [head, ...fields] = `${request}\r\n`.split('\r\n').filter((line) => line !== '');
  const end = ['Host: a', 'Connection: close', ...fields, '', ''].join('\r\n');
  const received = await sendRaw(app, `${head}\r\n${end}`);
  const [statusLine = '', ...lines] = (received.split('\r\n\r\n')[0] ?? '').split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  return [status, lines.filter((line) => !OTHERS.has(nameOf(line))).toSorted()];
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
  ])('are all there, once: %i to %s', async (status, request) => {
    expect(await headersOf(request)).toEqual([status, ALL]);
  });

  it.each([
    [200, 'GET /docs HTTP/1.1'],
    [200, 'GET /docs/swagger-ui.css HTTP/1.1'],
    [404, 'GET /docs/nothing HTTP/1.1'],
  ])('let Swagger UI work: %i to %s', async (status, request) => {
    const docs = ALL.filter((line) => !/^(Cross-Origin-Opener|Origin-Agent)/.test(line));
    docs[0] =
      "Content-Security-Policy: default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'";
    expect(await headersOf(request)).toEqual([status, docs]);
  });
});
