import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { HttpConnection } from './http-connection.js';
import { type Options, parseOptions } from './options.js';

const PING = { method: 'GET', path: '/ping' };

describe('HttpConnection', () => {
  let server: Server;
  let connection: HttpConnection;

  async function connect(
    listener: RequestListener,
    args: string[] = [],
    scheme = 'http',
  ): Promise<void> {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    connection = new HttpConnection(parseOptions([`${url}/api`, ...args]) as Options);
  }

  afterEach(() => {
    connection.close();
    server.close();
    server.closeAllConnections();
  });

  it('sends a request with a body, a request id and the headers of the options', async () => {
    await connect(
      (request, response) => {
        const { method, url, headers } = request;
        void text(request).then((body) => {
          response.writeHead(201, { 'X-Pet': 'Tom' });
          response.end(JSON.stringify({ method, url, headers, body }));
        });
      },
      ['--header', 'Accept: text/csv'],
    );
    const response = await connection.send({ method: 'POST', path: '/ping', body: '{"ping":"é"}' });
    expect(response).toMatchObject({ status: 201, headers: { 'x-pet': 'Tom' } });
    expect(response.requestId).toMatch(/^petsage-smoke-[\da-f-]{36}$/);
    expect(JSON.parse(response.text)).toMatchObject({
      method: 'POST',
      url: '/api/ping',
      body: '{"ping":"é"}',
      headers: {
        accept: 'text/csv',
        'content-type': 'application/json',
        'x-request-id': response.requestId,
      },
    });
  });

  it('measures the time until the response is complete', async () => {
    let serverMs = 0;
    await connect((_, response) => {
      const receivedAt = performance.now();
      response.write('{');
      setTimeout(() => {
        serverMs = performance.now() - receivedAt;
        response.end('}');
      }, 20);
    });
    const startTime = performance.now();
    const { durationMs } = await connection.send(PING);
    expect(durationMs).toBeGreaterThanOrEqual(serverMs);
    expect(durationMs).toBeLessThanOrEqual(Math.ceil(performance.now() - startTime));
  });

  it('reads only the headers of an event stream, and closes the connection', async () => {
    let closed: Promise<unknown> | undefined;
    await connect((_, response) => {
      closed = once(response, 'close');
      response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
      response.write('data: 1\n\n');
    });
    expect(await connection.send(PING)).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8' },
      text: '',
    });
    await closed;
  });

  it('reports whether the connection was reused', async () => {
    await connect((request, response) => {
      if (request.url === '/api/close') response.setHeader('Connection', 'close');
      response.end();
    });
    const paths = ['/ping', '/ping', '/close', '/ping'];
    const areReused: boolean[] = [];
    for (const path of paths) {
      const { isConnectionReused } = await connection.send({ method: 'GET', path });
      areReused.push(isConnectionReused);
    }
    expect(areReused).toEqual([false, true, true, false]);
  });

  it.each<[string, RequestListener, string | RegExp]>([
    ['does not respond', () => undefined, 'expected a response, got none within 200 ms'],
    [
      'stops in the middle of a response',
      (_, response) => response.write('{'),
      'expected a response, got none within 200 ms',
    ],
    [
      'resets the connection',
      ({ socket }) => socket.resetAndDestroy(),
      /^expected a response, got /,
    ],
    [
      'closes the connection in the middle of a response',
      ({ socket }, response) => {
        response.write('{', () => socket.destroy());
      },
      'expected a response, got aborted',
    ],
    [
      'does not speak HTTP',
      ({ socket }) => socket.end('hello\r\n\r\n'),
      /^expected a response, got Parse Error: Expected HTTP/,
    ],
  ])('throws when the target %s', async (_, listener, message) => {
    await connect(listener, ['--timeout', '200ms']);
    await expect(connection.send(PING)).rejects.toThrow(message);
  });

  it('suggests http:// when the port of an https:// URL does not speak TLS', async () => {
    await connect(() => undefined, [], 'https');
    await expect(connection.send(PING)).rejects.toThrow(
      /^expected a response, got one without TLS\. Use http:\/\/ instead of https:\/\/ in the URL\.$/,
    );
  });
});
