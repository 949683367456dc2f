import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { collectGarbage } from './fixtures/collect-garbage.js';
import { openBothEnds, openSocket, parseResponses, sendRaw } from './fixtures/http.js';
import { startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const UPLOAD = 'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\n';
const UNFINISHED_HEADERS = 'GET /system/healthz HTTP/1.1\r\nHost: a\r\nX: ';
const TIMED_OUT = { status: 408, body: '{"detail":"The request did not arrive in time"}' };

let app: TestApp['app'];

beforeAll(async () => {
  ({ app } = await createTestApp());
});

describe('the time limits', () => {
  const LIMIT_MS = 300;
  let defaults: object;

  beforeEach(() => {
    const { headersTimeout, requestTimeout, keepAliveTimeout, timeout } = app.getHttpServer();
    defaults = { headersTimeout, requestTimeout, keepAliveTimeout, timeout };
  });

  afterEach(() => {
    Object.assign(app.getHttpServer(), defaults);
  });

  it('are 10 s for headers, 60 s for a request, 65 s between requests, 120 s without traffic', () => {
    expect(defaults).toEqual({
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      keepAliveTimeout: 65_000,
      timeout: 120_000,
    });
  });

  it('announce the time between requests in the Keep-Alive header', async () => {
    await request(app.getHttpServer())
      .get('/system/healthz')
      .set('Connection', 'keep-alive')
      .expect('Keep-Alive', 'timeout=65');
  });

  it.each([
    ['headers', UNFINISHED_HEADERS],
    ['a body', `${UPLOAD}Content-Length: 12\r\n\r\n{`],
  ])('return 408 for %s that do not arrive', async (_, bytes) => {
    Object.assign(app.getHttpServer(), { headersTimeout: LIMIT_MS, requestTimeout: LIMIT_MS });
    expect(parseResponses(await sendRaw(app, bytes))).toMatchObject([TIMED_OUT]);
  });

  it('release the memory of connections that timed out', async () => {
    app.getHttpServer().headersTimeout = LIMIT_MS;
    const connections: WeakRef<Socket>[] = [];
    const collect = (socket: Socket) => connections.push(new WeakRef(socket));
    app.getHttpServer().on('connection', collect);
    await Promise.all(Array.from({ length: 20 }, () => sendRaw(app, UNFINISHED_HEADERS)));
    app.getHttpServer().off('connection', collect);
    expect(connections).toHaveLength(20);
    await waitFor(() => {
      collectGarbage();
      return connections.every((socket) => socket.deref() === undefined);
    });
  });

  it('close the connection of a client that does not read its responses', async () => {
    app.getHttpServer().timeout = LIMIT_MS;
    const startedAt = performance.now();
    const [client, server] = await openBothEnds(app);
    client.pause();
    client.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50));
    await waitFor(() => server.destroyed);
    expect(performance.now() - startedAt).toBeGreaterThan(LIMIT_MS - 1);
    client.destroy();
  });
});

describe('1,000 clients that never complete their headers', () => {
  it('get 408 after 10 s, and do not block other clients', async () => {
    const service = await startService();
    const startedAt = performance.now();
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => openSocket(service)));
    const received = sockets.map((socket) => text(socket).catch(() => 'reset'));
    for (const socket of sockets) socket.write(UNFINISHED_HEADERS);
    // The first half sends a byte each second.
    const dripping = sockets.slice(0, 500);
    const drip = setInterval(() => {
      for (const socket of dripping) if (socket.writable) socket.write('x');
    }, 1000);
    for (let i = 0; i < 100; i++) {
      await request(service.url).get('/system/healthz').expect(200);
    }
    const responses = await Promise.all(received);
    clearInterval(drip);
    expect(performance.now() - startedAt).toBeGreaterThan(10_000);
    for (const response of responses.slice(dripping.length)) {
      expect(parseResponses(response)).toMatchObject([TIMED_OUT]);
    }
    // A byte that crosses the response on its way can reset the connection.
    for (const response of responses.slice(0, dripping.length)) {
      if (response !== 'reset') expect(parseResponses(response)).toMatchObject([TIMED_OUT]);
    }
    expect(await stopService(service)).toMatchObject({ code: 0 });
  });
});

describe('a client that disconnects', () => {
  it.each([
    ['before it sends anything', ''],
    ['in the request line', 'G'],
    ['in the headers', 'GET /smoke-test HTTP/1.1\r\nHost: a\r\n'],
    ['in a body', `${UPLOAD}Content-Length: 12\r\n\r\n{`],
    ['in a chunk', `${UPLOAD}Transfer-Encoding: chunked\r\n\r\nc\r\n{`],
    ['after CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s leaves no request in progress', async (_, bytes) => {
    for (const disconnect of ['end', 'resetAndDestroy'] as const) {
      const [client, server] = await openBothEnds(app);
      client.write(bytes);
      await waitFor(() => server.bytesRead === bytes.length);
      client[disconnect]();
      await waitFor(() => server.destroyed);
    }
    await waitFor(async () => {
      const { text } = await request(app.getHttpServer()).get('/metrics');
      return text.includes('http_requests_in_flight 1\n');
    });
  });
});
