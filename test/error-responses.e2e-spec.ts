import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import request, { type Test } from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { collectGarbage } from './fixtures/collect-garbage.js';
import { openBothEnds, openUpload, parseResponses, sendRaw } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

const ECHO = '/api/v1/system/smoke-test';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let app: TestApp['app'];

beforeAll(async () => {
  ({ app } = await createTestApp());
});

/** Sends a JSON body to the echo check. */
function postJson(body: string | Buffer): Test {
  return (
    request(app.getHttpServer())
      .post(ECHO)
      .set('Content-Type', 'application/json')
      // The body is JSON already; without this, superagent would encode a buffer as an object.
      .serialize((encoded: string) => encoded)
      .send(body)
  );
}

/** Expects an error with the headers that every error response has. */
function expectError(test: Test, status: number, body: string): Test {
  return test
    .expect(status, body)
    .expect('Content-Type', 'application/json')
    .expect('Content-Length', String(Buffer.byteLength(body)))
    .expect('Cache-Control', 'no-store')
    .expect('X-Content-Type-Options', 'nosniff')
    .expect('Content-Security-Policy', "default-src 'none';frame-ancestors 'none'")
    .expect('X-Request-Id', UUID)
    .expect(({ headers }) => {
      expect(headers).not.toHaveProperty('x-powered-by');
    });
}

// fastapi.e2e-spec.ts compares many more bodies with FastAPI's responses.
describe(`POST ${ECHO}`, () => {
  it.each([
    [
      'ping is absent',
      '{"pong":"a"}',
      '{"type":"missing","loc":["body","ping"],"msg":"Field required","input":{"pong":"a"}}',
    ],
    [
      'ping is not a string',
      '{"ping":5}',
      '{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":5}',
    ],
    [
      'there is no body',
      '',
      '{"type":"missing","loc":["body"],"msg":"Field required","input":null}',
    ],
    [
      'the body is not an object',
      '["a"]',
      '{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","input":["a"]}',
    ],
    [
      'the body is broken JSON',
      '{"ping":"é" 1}',
      '{"type":"json_invalid","loc":["body",12],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting \',\' delimiter"}}',
    ],
  ])('returns 422 when %s', async (_, body, entry) => {
    await expectError(postJson(body), 422, `{"detail":[${entry}]}`);
  });

  it.each(['application/json; charset=UTF-8', 'application/json;charset=utf8'])(
    'returns 200 for JSON of type %s',
    async (type) => {
      await postJson('{"ping":"a"}').set('Content-Type', type).expect(200);
    },
  );
});

describe('an unknown path', () => {
  it.each([
    ['get', '/nope'],
    ['get', '/system/healthz/x'],
    ['options', '/nope'],
    ['get', '/__proto__'],
    ['get', '/nope?a=%zz'],
  ] as const)('returns 404 for %s %s', async (method, path) => {
    const test = request(app.getHttpServer())[method](path);
    await expectError(test, 404, '{"detail":"Not Found"}');
  });

  it('returns 404 without a body for HEAD', async () => {
    const { text } = await request(app.getHttpServer())
      .head('/nope')
      .expect(404)
      .expect('Content-Length', '22');
    expect(text).toBeUndefined();
  });

  it('returns 404 for a body over BODY_LIMIT', async () => {
    const test = request(app.getHttpServer()).post('/nope').type('json').send('x'.repeat(200_000));
    await expectError(test, 404, '{"detail":"Not Found"}');
  });

  it.each([
    ['delete', '/docs/nope'],
    ['get', '/docs/LICENSE'],
  ] as const)('returns 404 for %s %s with the policy of Swagger UI', async (method, path) => {
    await request(app.getHttpServer())
      [method](path)
      .expect(404, '{"detail":"Not Found"}')
      .expect('Content-Security-Policy', /script-src 'self'/);
  });
});

describe('a method that a path does not support', () => {
  it.each([
    ['post', '/system/healthz', 'GET, HEAD'],
    ['delete', '/smoke-test/', 'GET, HEAD'],
    ['purge', '/api/v1/smoke-test', 'GET, HEAD'],
    ['put', '/', 'GET, HEAD'],
    ['post', '/openapi.json', 'GET, HEAD'],
    ['get', ECHO, 'POST'],
    ['patch', `${ECHO}?a=1`, 'POST'],
  ] as const)('returns 405 for %s %s with Allow: %s', async (method, path, allow) => {
    const test = request(app.getHttpServer())[method](path);
    await expectError(test, 405, '{"detail":"Method Not Allowed"}').expect('Allow', allow);
  });

  it('returns 405 for HEAD where there is no GET', async () => {
    const { text } = await request(app.getHttpServer())
      .head(ECHO)
      .expect(405)
      .expect('Allow', 'POST');
    expect(text).toBeUndefined();
  });
});

describe('BODY_LIMIT', () => {
  const TOO_LARGE = '{"detail":"The request body is larger than the limit of 100kb"}';
  const JSON_HEAD = `POST ${ECHO} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
  const createBody = (bytes: number) => `{"ping":"${'a'.repeat(bytes - 11)}"}`;

  it('returns 413 for a body that exceeds it by one byte', async () => {
    await postJson(createBody(102_400)).expect(200);
    await expectError(postJson(createBody(102_401)), 413, TOO_LARGE);
  });

  it('returns 413 when a decompressed body exceeds it', async () => {
    const bomb = gzipSync(createBody(10_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    await expectError(postJson(bomb).set('Content-Encoding', 'gzip'), 413, TOO_LARGE);
  });

  it.each([
    ['', 'without Expect'],
    ['Expect: 100-continue\r\n', 'with Expect: 100-continue'],
  ])('returns 413 before the body is sent, %s', async (expectHeader) => {
    const head = `${JSON_HEAD}Connection: close\r\n${expectHeader}Content-Length: 102401\r\n\r\n`;
    expect(parseResponses(await sendRaw(app, head))).toMatchObject([
      { status: 413, body: TOO_LARGE },
    ]);
  });

  it('returns 100 Continue and 200 for a smaller body with Expect: 100-continue', async () => {
    const socket = await openUpload(app, 12, { headers: 'Connection: close\r\n' });
    socket.write('{"ping":"a"}');
    expect(parseResponses(await text(socket))).toMatchObject([{ status: 200 }]);
  });

  it('returns 413 when a chunked body exceeds it', async () => {
    const body = createBody(200_000);
    const received = await sendRaw(
      app,
      `${JSON_HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    expect(parseResponses(received)).toMatchObject([{ status: 413, body: TOO_LARGE }]);
  });

  it('bounds the memory of a chunked body that exceeds it', async () => {
    const CHUNKS = 64;
    const CHUNK_BYTES = 2 ** 20;
    const chunk = Buffer.from(`${CHUNK_BYTES.toString(16)}\r\n${'a'.repeat(CHUNK_BYTES)}\r\n`);
    const [client, server] = await openBothEnds(app);
    const received = text(client);
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    client.write(`${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    for (let i = 0; i < CHUNKS; i++) client.write(chunk);
    await waitFor(() => server.bytesRead > CHUNKS * CHUNK_BYTES);
    // V8 frees array buffers in the background.
    await waitFor(() => {
      collectGarbage();
      const kept = process.memoryUsage().arrayBuffers - before;
      return kept < (CHUNKS * CHUNK_BYTES) / 4;
    });
    client.end('0\r\n\r\n');
    expect(parseResponses(await received)).toMatchObject([{ status: 413, body: TOO_LARGE }]);
  });
});

describe('an unsupported encoding', () => {
  it.each([
    ['Content-Encoding', 'compress', '{"detail":"Unsupported content encoding \\"compress\\""}'],
    [
      'Content-Type',
      'application/json; charset=iso-8859-1',
      '{"detail":"Unsupported charset \\"iso-8859-1\\": send JSON as utf-8"}',
    ],
  ])('returns 415 for %s: %s', async (name, value, body) => {
    await expectError(postJson('{"ping":"a"}').set(name, value), 415, body);
  });
});

describe('input that cannot be decoded', () => {
  const UNPARSABLE = '{"detail":"There was an error parsing the body"}';

  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['50,000 nested arrays', '['.repeat(50_000) + ']'.repeat(50_000)],
    ['100,000 open arrays', '['.repeat(100_000)],
    ['3,000 nested objects', '{"ping":'.repeat(3000) + '1' + '}'.repeat(3000)],
  ])('returns 400 for a body of %s', async (_, body) => {
    await expectError(postJson(body), 400, UNPARSABLE);
  });

  it('returns 400 for a body that is not gzip despite Content-Encoding: gzip', async () => {
    const test = postJson('{"ping":"a"}').set('Content-Encoding', 'gzip');
    await expectError(test, 400, UNPARSABLE);
  });

  it.each(['/%', '/%zz', '/system/%ff', '/%c3%28?a=1'])(
    'returns 400 for the path %s',
    async (path) => {
      const detail = 'The path is malformed: it is not valid percent-encoded UTF-8';
      await expectError(request(app.getHttpServer()).get(path), 400, JSON.stringify({ detail }));
    },
  );
});

describe('an unexpected error', () => {
  class UnexpectedError extends Error {
    code = 'EHOSTUNREACH';
    input = 'hunter2';
  }

  it.each([
    ['an error', new UnexpectedError('no route to db.internal')],
    ['a string', 'no route to db.internal'],
    ['undefined', undefined],
  ])('returns 500 when %s is thrown, and logs the cause', async (_, thrown) => {
    const faulty = await createTestApp({
      prepare: (app) => {
        app.useGlobalGuards({
          canActivate: () => {
            // eslint-disable-next-line @typescript-eslint/only-throw-error -- anything can be thrown
            throw thrown;
          },
        });
      },
    });
    const { headers } = await expectError(
      request(faulty.app.getHttpServer()).get('/smoke-test'),
      500,
      '{"detail":"Internal Server Error"}',
    );
    expect(faulty.log.filter(({ context }) => context === 'ErrorFilter')).toEqual([
      expect.objectContaining({
        level: 'error',
        requestId: headers['x-request-id'],
        // The error's other properties may hold what a client sent, so they are not logged.
        err: {
          type: thrown instanceof Error ? 'UnexpectedError' : 'Error',
          message: thrown instanceof Error ? thrown.message : `Thrown: ${String(thrown)}`,
          stack: expect.stringContaining('\n    at ') as string,
          ...(thrown instanceof UnexpectedError && { code: 'EHOSTUNREACH' }),
        },
      }),
    ]);
  });
});
