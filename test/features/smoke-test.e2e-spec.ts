import fc from 'fast-check';
import { createTestApp, type TestApp } from '../fixtures/app.js';
import { type Answer, send } from '../fixtures/http.js';

const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ECHO = '/api/v1/system/smoke-test';
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** The systems that are asked by GET: where, and the body with T for the time of the answer. */
const CHECKS: [system: string, path: string, body: string][] = [
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
    '/v1/health/smoke-test',
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

/** The body with its time, which must be that of the request, replaced by T. */
function withoutTime({ text }: Answer, sentAt: number): string {
  return text.replace(/(?<="timestamp":")[^"]+/, (time) => {
    expect(time).toMatch(ISO_UTC);
    expect(Date.parse(time)).toBeGreaterThanOrEqual(sentAt);
    expect(Date.parse(time)).toBeLessThanOrEqual(Date.now());
    return 'T';
  });
}

function expectFreshJson({ headers }: Answer): void {
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-request-id': expect.stringMatching(UUID) as string,
  });
  expect(headers).not.toHaveProperty('etag');
  expect(headers).not.toHaveProperty('x-powered-by');
}

describe.each(CHECKS)('system %s, GET %s', (_, path, body) => {
  it('answers 200 with the very words', async () => {
    const sentAt = Date.now();
    const answer = await send(app, 'GET', path);
    expect(answer.status).toBe(200);
    expect(withoutTime(answer, sentAt)).toBe(body);
    expectFreshJson(answer);
  });

  it('answers the same with a slash behind it, with a query and with a body', async () => {
    const sentAt = Date.now();
    const answers = await Promise.all([
      send(app, 'GET', `${path}/`),
      send(app, 'GET', `${path}?a=%zz&a[b]=1`),
      send(app, 'GET', path, JSON_TYPE, '{"broken'),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(withoutTime(answer, sentAt)).toBe(body);
    }
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const head = await send(app, 'HEAD', path);
    const get = await send(app, 'GET', path);
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
    expectFreshJson(head);
    expect(Object.keys(head.headers)).toEqual(Object.keys(get.headers));
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
  });

  it.each<Record<string, string>>([
    { 'If-None-Match': '*' },
    { 'If-Modified-Since': 'Fri, 01 Jan 2100 00:00:00 GMT' },
    { Accept: 'text/html' },
  ])('answers 200 to %j', async (headers) => {
    const answer = await send(app, 'GET', path, headers);
    expect(answer.status).toBe(200);
    expect(answer.text).not.toBe('');
  });
});

describe('system D, GET /v1/health/smoke-test', () => {
  it('writes exactly one record for each call, with the id of the response', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(app, 'GET', '/v1/health/smoke-test')),
    );
    const ids = answers.map(({ headers }) => headers['x-request-id']);
    expect(new Set(ids).size).toBe(20);
    const byId = (a: string, b: string) => a.localeCompare(b);
    expect(log.map(({ requestId }) => String(requestId)).sort(byId)).toEqual(
      ids.map(String).sort(byId),
    );
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

  it('writes the id that the caller sent', async () => {
    await send(app, 'GET', '/v1/health/smoke-test', { 'X-Request-Id': 'probe:7' });
    expect(log).toEqual([expect.objectContaining({ requestId: 'probe:7' })]);
  });
});

describe('the other systems', () => {
  it('write nothing to the log', async () => {
    await send(app, 'GET', '/api/v1/smoke-test');
    await send(app, 'GET', '/system/healthz');
    await send(app, 'GET', '/smoke-test');
    await send(app, 'POST', ECHO, JSON_TYPE, '{"ping":"secret"}');
    await send(app, 'POST', ECHO, JSON_TYPE, '{"ping":["secret"]}');
    expect(log).toEqual([]);
  });
});

describe('system E, POST /api/v1/system/smoke-test', () => {
  /** The text of a JSON value's echo, or of the error. */
  async function echo(json: string): Promise<Answer> {
    return send(app, 'POST', ECHO, JSON_TYPE, `{"ping":${json}}`);
  }

  it('answers 200 with the very words', async () => {
    const sentAt = Date.now();
    const answer = await echo('"hello"');
    expect(answer.status).toBe(200);
    expect(withoutTime(answer, sentAt)).toBe(
      '{"status":"ok","message":"PetSage system is operational.","pong":"hello","timestamp":"T"}',
    );
    expectFreshJson(answer);
  });

  it.each([
    ['the empty text', ''],
    ['emoji', '🐕‍🦺👩🏽‍⚕️'],
    ['right-to-left text', 'שלום, عالم \u202e'],
    ['NUL and other controls', '\u0000\u0001\u001f\u007f'],
    ['a lone surrogate', '\ud800'],
    ['90 kB', 'é'.repeat(45_000)],
  ])('echoes %s unchanged', async (_, ping) => {
    const answer = await echo(JSON.stringify(ping));
    expect(answer.status).toBe(200);
    expect((JSON.parse(answer.text) as { pong: string }).pong).toBe(ping);
  });

  it('ignores other keys', async () => {
    const body = '{"ping":"a","pong":"b","status":"bad","__proto__":{"ping":"c"}}';
    const answer = await send(app, 'POST', `${ECHO}/`, JSON_TYPE, body);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'ok', pong: 'a' });
  });

  it('takes a compressed body', async () => {
    const { gzipSync } = await import('node:zlib');
    const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
    const answer = await send(app, 'POST', ECHO, headers, gzipSync('{"ping":"a"}'));
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ pong: 'a' });
  });

  it('echoes whatever JSON string it is sent', async () => {
    const anyString = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      // Every UTF-16 code unit, lone surrogates too.
      fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    );
    await fc.assert(
      fc.asyncProperty(anyString, async (ping) => {
        const answer = await echo(JSON.stringify(ping));
        expect(answer.status).toBe(200);
        expect((JSON.parse(answer.text) as { pong: string }).pong).toBe(ping);
      }),
      { numRuns: 300 },
    );
  });

  it('answers 422 with the right entry to any JSON value that is no string', async () => {
    const noString = fc.jsonValue().filter((value) => typeof value !== 'string');
    await fc.assert(
      fc.asyncProperty(noString, async (value) => {
        const json = JSON.stringify(value);
        const answer = await echo(json);
        expect(answer.status).toBe(422);
        expect(answer.text).toBe(
          `{"detail":[{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":${json}}]}`,
        );
      }),
      { numRuns: 300 },
    );
  });

  it('never answers 5xx, whatever the body, its type and its encoding', async () => {
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    );
    const contentType = fc.oneof(
      fc.constantFrom('application/json', 'application/json; charset=utf-16', 'text/plain', ''),
      fc.stringMatching(/^[!-~]{0,20}$/),
    );
    const encoding = fc.constantFrom('identity', 'gzip', 'deflate', 'br', 'zip', '');
    await fc.assert(
      fc.asyncProperty(body, contentType, encoding, async (bytes, type, coding) => {
        const headers = { 'Content-Type': type, 'Content-Encoding': coding };
        const answer = await send(app, 'POST', ECHO, headers, bytes);
        expect(answer.status).toBeLessThan(500);
        expect(JSON.parse(answer.text)).toHaveProperty(answer.status === 200 ? 'pong' : 'detail');
      }),
      { numRuns: 500 },
    );
    expect(log).toEqual([]);
  });
});
