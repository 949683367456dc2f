import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import request, { type Response } from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';
import { parseResponses, sendRaw } from '../fixtures/http.js';

const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LOGGING = '/v1/health/smoke-test';
const ECHO = '/api/v1/system/smoke-test';

/** The smoke checks A to D: system, path, and body with `T` instead of the time. */
const GET_CHECKS: [system: string, path: string, body: string][] = [
  [
    'A',
    '/api/v1/smoke-test',
    '{"status":"ok","message":"PetSage Smoke Test: Service is operational.","timestamp":"T"}',
  ],
  ['B', '/system/healthz', '{"status":"ok","message":"PetSage API is alive and running!"}'],
  [
    'C',
    '/smoke-test',
    '{"status":"ok","feature":"smoke_test","message":"PetSage builder is functional!"}',
  ],
  [
    'D',
    LOGGING,
    '{"status":"ok","message":"PetSage service is running and logging is operational.","timestamp":"T"}',
  ],
];

let app: TestApp['app'];
let log: TestApp['log'];

beforeAll(async () => {
  ({ app, log } = await createTestApp());
});

beforeEach(() => {
  log.length = 0;
});

function get(path: string) {
  return request(app.getHttpServer()).get(path);
}

/** Sends an echo request with the JSON text of a body. */
function postEcho(json: string) {
  return request(app.getHttpServer()).post(ECHO).type('json').send(json);
}

/** Replaces the timestamp by `T` and checks that it lies between the request and now. */
function replaceTimestamp({ text }: Response, sentAt: number): string {
  return text.replace(/(?<="timestamp":")[^"]+/, (timestamp) => {
    expect(timestamp).toMatch(ISO_UTC);
    expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(sentAt);
    expect(Date.parse(timestamp)).toBeLessThanOrEqual(Date.now());
    return 'T';
  });
}

function expectJsonHeaders({ headers }: Response): void {
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-request-id': expect.stringMatching(UUID) as string,
  });
  expect(headers).not.toHaveProperty('etag');
  expect(headers).not.toHaveProperty('x-powered-by');
}

describe.each(GET_CHECKS)('system %s: GET %s', (_, path, body) => {
  it('returns 200 with the exact body', async () => {
    const sentAt = Date.now();
    const response = await get(path).expect(200);
    expect(replaceTimestamp(response, sentAt)).toBe(body);
    expectJsonHeaders(response);
  });

  it.each([
    ['a trailing slash', () => get(`${path}/`)],
    ['a query', () => get(`${path}?a=%zz&a[b]=1`)],
    ['a body', () => get(path).type('json').send('{"broken')],
    ['If-None-Match', () => get(path).set('If-None-Match', '*')],
    [
      'If-Modified-Since',
      () => get(path).set('If-Modified-Since', 'Fri, 01 Jan 2100 00:00:00 GMT'),
    ],
    ['another Accept', () => get(path).set('Accept', 'text/html')],
  ])('returns the same with %s', async (_, send) => {
    const sentAt = Date.now();
    const response = await send().expect(200);
    expect(replaceTimestamp(response, sentAt)).toBe(body);
  });

  it('responds to HEAD with the headers of GET and no body', async () => {
    const head = await request(app.getHttpServer()).head(path).expect(200);
    expect(head.text).toBeUndefined();
    expectJsonHeaders(head);
    const response = await get(path);
    expect(Object.keys(head.headers as object)).toEqual(Object.keys(response.headers as object));
    expect(head.get('Content-Length')).toBe(response.get('Content-Length'));
  });
});

describe('system D: GET /v1/health/smoke-test', () => {
  it('writes exactly one record per request, with the X-Request-Id of the response', async () => {
    const responses = await Promise.all(Array.from({ length: 20 }, () => get(LOGGING)));
    const ids = responses.map((response) => String(response.get('X-Request-Id')));
    expect(new Set(ids).size).toBe(20);
    expect(log.map(({ requestId }) => String(requestId)).sort()).toEqual(ids.sort());
    for (const record of log) {
      expect(record).toEqual({
        level: 'info',
        time: expect.stringMatching(ISO_UTC) as string,
        service: 'petsage-api',
        version: '1.0.0',
        requestId: expect.stringMatching(UUID) as string,
        context: 'SmokeTestService',
        event: 'smoke_test_executed',
        status: 'success',
        details: 'Log pipeline verification.',
        msg: 'Executing PetSage smoke test.',
      });
    }
  });

  it('writes the X-Request-Id of the caller', async () => {
    await get(LOGGING).set('X-Request-Id', 'probe:7').expect(200);
    expect(log).toEqual([expect.objectContaining({ requestId: 'probe:7' })]);
  });
});

describe('systems A, B, C and E', () => {
  it('write nothing to the log', async () => {
    await get('/api/v1/smoke-test').expect(200);
    await get('/system/healthz').expect(200);
    await get('/smoke-test').expect(200);
    await postEcho('{"ping":"secret"}').expect(200);
    await postEcho('{"ping":["secret"]}').expect(422);
    expect(log).toEqual([]);
  });
});

describe('system E: POST /api/v1/system/smoke-test', () => {
  it('returns 200 with the exact body', async () => {
    const sentAt = Date.now();
    const response = await postEcho('{"ping":"hello"}').expect(200);
    expect(replaceTimestamp(response, sentAt)).toBe(
      '{"status":"ok","message":"PetSage system is operational.","pong":"hello","timestamp":"T"}',
    );
    expectJsonHeaders(response);
  });

  it.each([
    ['an empty string', ''],
    ['emoji', '🐕‍🦺👩🏽‍⚕️'],
    ['right-to-left text', 'שלום, عالم \u202e'],
    ['NUL and other control characters', '\u0000\u0001\u001f\u007f'],
    ['a lone surrogate', '\ud800'],
    ['90 kB', 'é'.repeat(45_000)],
  ])('echoes %s unchanged', async (_, ping) => {
    const response = await postEcho(JSON.stringify({ ping })).expect(200);
    expect(response.body).toMatchObject({ pong: ping });
  });

  it('ignores unknown keys', async () => {
    const json = '{"ping":"a","pong":"b","status":"bad","__proto__":{"ping":"c"}}';
    const response = await postEcho(json).expect(200);
    expect(response.body).toMatchObject({ status: 'ok', pong: 'a' });
  });

  it('accepts a trailing slash and a gzip body', async () => {
    const response = await request(app.getHttpServer())
      .post(`${ECHO}/`)
      .type('json')
      .set('Content-Encoding', 'gzip')
      .serialize((body) => body as string)
      .send(gzipSync('{"ping":"a"}'))
      .expect(200);
    expect(response.body).toMatchObject({ pong: 'a' });
  });

  it('echoes any string unchanged', async () => {
    const anyString = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      // Any UTF-16 code units, including lone surrogates.
      fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    );
    await fc.assert(
      fc.asyncProperty(anyString, async (ping) => {
        const response = await postEcho(JSON.stringify({ ping })).expect(200);
        expect(response.body).toMatchObject({ pong: ping });
      }),
      { numRuns: 300 },
    );
  });

  it('returns 422 string_type for any other JSON value', async () => {
    const otherValue = fc.jsonValue().filter((value) => typeof value !== 'string');
    await fc.assert(
      fc.asyncProperty(otherValue, async (value) => {
        const json = JSON.stringify(value);
        const { text } = await postEcho(`{"ping":${json}}`).expect(422);
        expect(text).toBe(
          `{"detail":[{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":${json}}]}`,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('returns no 5xx for any body, content type and content encoding', async () => {
    const anyBody = fc.oneof(
      fc.json().map((json) => Buffer.from(json)),
      fc.string().map((text) => Buffer.from(text)),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    const anyType = fc.oneof(
      fc.constantFrom('application/json', 'application/json; charset=utf-16', 'text/plain', ''),
      fc.stringMatching(/^[!-~]{0,20}$/),
    );
    const anyEncoding = fc.constantFrom('identity', 'gzip', 'deflate', 'br', 'zip', '');
    await fc.assert(
      fc.asyncProperty(anyBody, anyType, anyEncoding, async (body, type, encoding) => {
        const head = [
          `POST ${ECHO} HTTP/1.1`,
          'Host: a',
          'Connection: close',
          `Content-Type: ${type}`,
          `Content-Encoding: ${encoding}`,
          `Content-Length: ${body.length}`,
        ];
        const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
        const [response] = parseResponses(await sendRaw(app, bytes));
        expect(response?.status).toBeLessThan(500);
        const property = response?.status === 200 ? 'pong' : 'detail';
        expect(JSON.parse(String(response?.body))).toHaveProperty(property);
      }),
      { numRuns: 500 },
    );
    expect(log).toEqual([]);
  });
});
