import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { type Answer, portOf, send, sendRaw } from './fixtures/http.js';

const ECHO = '/api/v1/system/smoke-test';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let app: TestApp['app'];
let log: TestApp['log'];

beforeAll(async () => {
  ({ app, log } = await createTestApp());
});

beforeEach(() => {
  log.length = 0;
});

/** Every error has these, whatever made it. */
function expectError(answer: Answer, status: number, body: string): void {
  expect(answer).toMatchObject({
    status,
    text: body,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-request-id': expect.stringMatching(UUID) as string,
    },
  });
  expect(answer.headers).not.toHaveProperty('x-powered-by');
}

describe('a body that fails validation', () => {
  const model =
    '{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":';
  const missing = '{"type":"missing","loc":["body"],"msg":"Field required","input":null}';
  const wrong = (input: string) =>
    `{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":${input}}`;
  const absent = (input: string) =>
    `{"type":"missing","loc":["body","ping"],"msg":"Field required","input":${input}}`;
  const broken = (position: number, reason: string) =>
    `{"type":"json_invalid","loc":["body",${position}],"msg":"JSON decode error","input":{},"ctx":{"error":"${reason}"}}`;

  it.each([
    ['an absent ping', '{"pong":"a"}', absent('{"pong":"a"}')],
    ['a number', '{"ping":5}', wrong('5')],
    ['null', '{"ping":null}', wrong('null')],
    ['an object', '{"ping":{"a":1}}', wrong('{"a":1}')],
    ['an array', '{"ping":["a"]}', wrong('["a"]')],
    ['a boolean', '{"ping":false}', wrong('false')],
    ['no body at all', '', missing],
    ['the literal null', 'null', missing],
    ['a body that is an array', '[{"ping":"a"}]', `${model}[{"ping":"a"}]}`],
    ['a body that is a text', '"ping"', `${model}"ping"}`],
    ['a body that is a number', '5', `${model}5}`],
    ['a body that is a boolean', 'true', `${model}true}`],
    ['broken JSON', '{"ping":"é" 1}', broken(12, "Expecting ',' delimiter")],
    ['half a JSON body', '{"ping":', broken(8, 'Expecting value')],
  ])('%s answers 422', async (_, body, entry) => {
    expectError(await send(app, 'POST', ECHO, JSON_TYPE, body), 422, `{"detail":[${entry}]}`);
  });

  it.each([
    ['text/plain', 'hello', '"hello"'],
    ['application/x-www-form-urlencoded', 'ping=a', '"ping=a"'],
    ['text/json', '{"ping":"a"}', '"{\\"ping\\":\\"a\\"}"'],
    ['multipart/form-data; boundary=x', '--x--\r\n', '"--x--\\r\\n"'],
    ['', '{"ping":"a"}', '"{\\"ping\\":\\"a\\"}"'],
  ])('content type %j answers 422 with the text', async (type, body, input) => {
    const answer = await send(app, 'POST', ECHO, { 'Content-Type': type }, body);
    expectError(answer, 422, `{"detail":[${model}${input}}]}`);
  });

  it.each([
    'application/json; charset=UTF-8',
    'application/json;charset=utf8',
    'application/vnd.petsage+json',
  ])('content type %j is JSON', async (type) => {
    const answer = await send(app, 'POST', ECHO, { 'Content-Type': type }, '{"ping":"a"}');
    expect(answer.status).toBe(200);
  });
});

describe('an unknown path', () => {
  it.each([
    ['GET', '/nope'],
    ['GET', '/system/healthz/x'],
    ['GET', '/System/Healthz'],
    ['GET', '//system/healthz'],
    ['OPTIONS', '/nope'],
    ['GET', '/__proto__'],
    ['GET', '/nope?a=%zz'],
  ])('%s %s answers 404', async (method, path) => {
    expectError(await send(app, method, path), 404, '{"detail":"Not Found"}');
  });

  it('answers HEAD with the headers of that and no body', async () => {
    const answer = await send(app, 'HEAD', '/nope');
    expect(answer).toMatchObject({ status: 404, text: '', headers: { 'content-length': '22' } });
  });

  it.each([
    ['DELETE', '/docs/nope'],
    ['GET', '/docs/LICENSE'],
  ])('%s %s answers 404 under the policy of the documentation', async (method, path) => {
    const answer = await send(app, method, path);
    expect(answer).toMatchObject({ status: 404, text: '{"detail":"Not Found"}' });
    expect(answer.headers['content-security-policy']).toContain("script-src 'self'");
  });

  it('answers 404 whatever it is sent', async () => {
    const answer = await send(app, 'POST', '/nope', JSON_TYPE, 'x'.repeat(200_000));
    expectError(answer, 404, '{"detail":"Not Found"}');
  });
});

describe('a known path under another method', () => {
  it.each([
    ['POST', '/system/healthz', 'GET, HEAD'],
    ['OPTIONS', '/smoke-test', 'GET, HEAD'],
    ['DELETE', '/smoke-test/', 'GET, HEAD'],
    ['TRACE', '/v1/health/smoke-test', 'GET, HEAD'],
    ['PURGE', '/api/v1/smoke-test', 'GET, HEAD'],
    ['PUT', '/', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['GET', ECHO, 'POST'],
    ['PATCH', `${ECHO}?a=1`, 'POST'],
  ])('%s %s answers 405 and allows %s', async (method, path, allow) => {
    const answer = await send(app, method, path);
    expectError(answer, 405, '{"detail":"Method Not Allowed"}');
    expect(answer.headers.allow).toBe(allow);
  });

  it('answers HEAD with 405 where there is no GET', async () => {
    const answer = await send(app, 'HEAD', ECHO);
    expect(answer).toMatchObject({ status: 405, text: '', headers: { allow: 'POST' } });
  });
});

describe('a body over the limit', () => {
  const tooLarge = '{"detail":"The request body is larger than the limit of 100kb"}';
  /** A body of so many bytes. */
  const bodyOf = (bytes: number) => `{"ping":"${'a'.repeat(bytes - 11)}"}`;

  it('answers 413 from the first byte over it', async () => {
    expect((await send(app, 'POST', ECHO, JSON_TYPE, bodyOf(102_400))).status).toBe(200);
    expectError(await send(app, 'POST', ECHO, JSON_TYPE, bodyOf(102_401)), 413, tooLarge);
  });

  it('answers 413 when only what is in it is so large', async () => {
    const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
    const bomb = gzipSync(bodyOf(10_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    expectError(await send(app, 'POST', ECHO, headers, bomb), 413, tooLarge);
  });

  it('answers 413 before the body is sent', async () => {
    const head = `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n`;
    for (const more of ['', 'Expect: 100-continue\r\n']) {
      const answer = await sendRaw(app, `${head}${more}Content-Length: 102401\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toContain(`\r\n\r\n${tooLarge}`);
    }
  });

  it('is asked for where the client waits to be asked, and it is small enough', async () => {
    const socket = connect(portOf(app), '127.0.0.1');
    socket.write(
      `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n`,
    );
    const [asked] = (await once(socket, 'data')) as [Buffer];
    expect(asked.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('{"ping":"a"}');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('answers 413 when its length is not told', async () => {
    const body = bodyOf(200_000);
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const answer = await sendRaw(
      app,
      `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain(`\r\n\r\n${tooLarge}`);
  });
});

describe('a body that cannot be read', () => {
  it.each([
    ['Content-Encoding', 'compress', '{"detail":"Unsupported content encoding \\"compress\\""}'],
    [
      'Content-Type',
      'application/json; charset=iso-8859-1',
      '{"detail":"Unsupported charset \\"iso-8859-1\\": send JSON as utf-8"}',
    ],
  ])('%s %s answers 415', async (name, value, body) => {
    const headers = { ...JSON_TYPE, [name]: value };
    expectError(await send(app, 'POST', ECHO, headers, '{"ping":"a"}'), 415, body);
  });

  it.each([
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['100,000 arrays in each other', '['.repeat(50_000) + ']'.repeat(50_000)],
    ['100,000 open arrays', '['.repeat(100_000)],
    ['3,000 objects in each other', '{"ping":'.repeat(3000) + '1' + '}'.repeat(3000)],
  ])('%s answer 400', async (_, body) => {
    const answer = await send(app, 'POST', ECHO, JSON_TYPE, body);
    expectError(answer, 400, '{"detail":"There was an error parsing the body"}');
  });

  it('bytes that are no gzip answer 400', async () => {
    const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
    const answer = await send(app, 'POST', ECHO, headers, '{"ping":"a"}');
    expectError(answer, 400, '{"detail":"There was an error parsing the body"}');
  });
});

describe('a malformed request', () => {
  it.each(['/%', '/%zz', '/system/%ff', '/%c3%28?a=1'])('path %s answers 400', async (path) => {
    expectError(
      await send(app, 'GET', path),
      400,
      '{"detail":"The path is malformed: it is not valid percent-encoded UTF-8"}',
    );
  });

  const malformed = 'The request is malformed';
  it.each([
    ['no HTTP', 'hello\r\n\r\n', 400, malformed],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: a\r\nbad\r\n\r\n', 400, malformed],
    ['a header with a NUL', 'GET / HTTP/1.1\r\nHost: a\r\nB: \0\r\n\r\n', 400, malformed],
    ['two lengths', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n', 400, malformed],
    [
      'a body in broken chunks',
      `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      malformed,
    ],
    [
      'headers that are too large',
      `GET / HTTP/1.1\r\nHost: a\r\nB: ${'b'.repeat(20_000)}\r\n\r\n`,
      431,
      'The request headers are too large',
    ],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'The Host header is missing'],
  ])('%s', async (_, bytes, status, detail) => {
    const answer = await sendRaw(app, bytes);
    const [head, body] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/^X-Request-Id: [0-9a-f-]{36}$/m);
    expect(head).toMatch(/^Content-Type: application\/json$/m);
    expect(head).toMatch(/^X-Content-Type-Options: nosniff$/m);
    expect(head).toMatch(/^Connection: close$/m);
    expect(body).toBe(JSON.stringify({ detail }));
    expect(log.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('behind a good one on the same connection lets that be answered', async () => {
    const answer = await sendRaw(
      app,
      'GET /smoke-test HTTP/1.1\r\nHost: a\r\n\r\nhello\r\n\r\nhello\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/\{"status":"ok",[^}]*\}$/);
    expect(log).toEqual([]);
  });

  it('behind several good ones lets all be answered', async () => {
    const good = `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"ping":"p"}`;
    const answer = await sendRaw(app, `${good.repeat(3)}hello\r\n\r\nhello\r\n\r\n`);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(Array(3).fill('HTTP/1.1 200'));
  });

  it.each(['http://', 'http://[::1', 'a:b', 'example.com'])(
    'target %s answers 400',
    async (target) => {
      const answer = await sendRaw(
        app,
        `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toMatch(/^X-Request-Id: [0-9a-f-]{36}\r$/m);
      expect(answer).toMatch(/^X-Content-Type-Options: nosniff\r$/m);
      expect(answer).toMatch(/\r\n\r\n\{"detail":"The request[^"]* is malformed"\}$/);
    },
  );

  it('is one that takes this for a proxy', async () => {
    const answer = await sendRaw(app, 'CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toMatch(/^X-Request-Id: [0-9a-f-]{36}\r$/m);
    expect(answer).toMatch(/\r\n\r\n\{"detail":"Not Found"\}$/);
  });

  it('is not one that names the host in its target, as a proxy is asked', async () => {
    const answer = await sendRaw(
      app,
      'GET http://a:1/smoke-test?b=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('is not one that has no Host in HTTP/1.0, or expects something', async () => {
    expect(await sendRaw(app, 'GET /smoke-test HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect((await send(app, 'GET', '/smoke-test', { Expect: 'gold' })).status).toBe(200);
  });
});

describe('an error that nobody foresaw', () => {
  class Leak extends Error {
    code = 'EHOSTUNREACH';
    input = 'hunter2';
  }

  it.each([
    ['an error', new Leak('no route to db.internal')],
    ['a text', 'no route to db.internal'],
    ['nothing', undefined],
  ])('that is %s answers 500, and only the log knows why', async (_, thrown) => {
    const faulty = await createTestApp({
      prepare(unready) {
        unready.useGlobalGuards({
          canActivate: () => {
            // eslint-disable-next-line @typescript-eslint/only-throw-error -- anything can be thrown
            throw thrown;
          },
        });
      },
    });
    const answer = await send(faulty.app, 'GET', '/smoke-test');
    expectError(answer, 500, '{"detail":"Internal Server Error"}');
    expect(faulty.log.filter(({ context }) => context === 'ErrorFilter')).toEqual([
      expect.objectContaining({
        level: 'error',
        requestId: answer.headers['x-request-id'],
        // Not an error's own properties, which may hold what a client sent.
        err: {
          type: thrown instanceof Error ? 'Leak' : 'Error',
          message: thrown instanceof Error ? thrown.message : `Thrown: ${String(thrown)}`,
          stack: expect.stringContaining('\n    at ') as string,
          ...(thrown instanceof Leak && { code: 'EHOSTUNREACH' }),
        },
      }),
    ]);
  });
});

describe('X-Request-Id', () => {
  it.each(['a', 'A-Z.a_z:0-9', 'x'.repeat(128)])('%s is the caller’s', async (id) => {
    const answer = await send(app, 'GET', '/nope', { 'X-Request-Id': id });
    expect(answer.headers['x-request-id']).toBe(id);
  });

  it.each(['', 'x'.repeat(129), 'a b', 'a/b', '{"a":1}', 'é'])('%j gets a new one', async (id) => {
    const answer = await send(app, 'GET', '/nope', { 'X-Request-Id': id });
    expect(answer.headers['x-request-id']).toMatch(UUID);
  });
});

describe('GET /', () => {
  it('says where to read on', async () => {
    const answer = await send(app, 'GET', '/');
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(
      '{"message":"Welcome to the PetSage API. See /docs for documentation."}',
    );
  });
});

describe('without settings for them', () => {
  it('no origin but the service’s own is let in, and no proxy is believed', async () => {
    const forwarded = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https' };
    const { app: open } = await createTestApp({
      prepare(unready) {
        unready.use('/seen', ({ ip, protocol }: Request, res: Response) => {
          res.json({ ip, protocol });
        });
      },
    });
    const answer = await send(open, 'GET', '/seen', { Origin: 'https://a.io', ...forwarded });
    expect(JSON.parse(answer.text)).toEqual({ ip: '127.0.0.1', protocol: 'http' });
    const headers = { Origin: 'https://a.io', 'Access-Control-Request-Method': 'POST' };
    const preflight = await send(open, 'OPTIONS', ECHO, headers);
    expect(preflight.status).toBe(405);
    for (const { headers } of [answer, preflight]) {
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});
