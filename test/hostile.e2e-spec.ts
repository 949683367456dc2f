import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { ConnectionTracker } from '../src/platform/lifecycle/connection-tracker.js';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { portOf, send, sendRaw } from './fixtures/http.js';
import { type Service, startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const ECHO = '/api/v1/system/smoke-test';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const BODY = '{"ping":"p"}';
const CHUNKED = `c\r\n${BODY}\r\n0\r\n\r\n`;
const MALFORMED = '{"detail":"The request is malformed"}';

let app: TestApp['app'];
let log: TestApp['log'];

beforeAll(async () => {
  ({ app, log } = await createTestApp());
});

function post(headers: string, body: string): string {
  return `POST ${ECHO} HTTP/1.1\r\nHost: a\r\n${JSON_TYPE}${headers}\r\n${body}`;
}

function get(headers: string): string {
  return `GET /smoke-test HTTP/1.1\r\n${headers}\r\n`;
}

/** The status and the body of each answer on a connection. */
function answersIn(received: string): [number, string][] {
  return received.split(/(?=HTTP\/1\.1 \d)/).map((answer) => {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    return [Number(head.split(' ')[1]), body];
  });
}

describe('a request whose end a proxy may see elsewhere', () => {
  const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';

  it.each([
    ['a length and chunks', post('Content-Length: 12\r\nTransfer-Encoding: chunked\r\n', CHUNKED)],
    ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 12\r\n', CHUNKED)],
    ['a length twice', post('Content-Length: 12\r\nContent-Length: 12\r\n', BODY)],
    ['two lengths', post('Content-Length: 12\r\nContent-Length: 2\r\n', BODY)],
    ['a list of lengths', post('Content-Length: 12, 12\r\n', BODY)],
    ['a length with a sign', post('Content-Length: +12\r\n', BODY)],
    ['a negative length', post('Content-Length: -1\r\n', BODY)],
    ['a hexadecimal length', post('Content-Length: 0xc\r\n', BODY)],
    ['a length beyond all numbers', post(`Content-Length: ${'9'.repeat(30)}\r\n`, BODY)],
    ['an empty length', post('Content-Length: \r\n', BODY)],
    ['a blank before a colon', post('Content-Length : 12\r\n', BODY)],
    ['an unknown coding', post('Transfer-Encoding: xchunked\r\n', CHUNKED)],
    ['a coding after chunks', post('Transfer-Encoding: chunked, identity\r\n', CHUNKED)],
    ['chunks twice', post('Transfer-Encoding: chunked\r\n'.repeat(2), CHUNKED)],
    ['chunks in quotes', post('Transfer-Encoding: "chunked"\r\n', CHUNKED)],
    ['a folded header', post('Transfer-Encoding:\r\n chunked\r\n', CHUNKED)],
    ['a chunk with a sign', post('Transfer-Encoding: chunked\r\n', `+${CHUNKED}`)],
    ['a hexadecimal prefix', post('Transfer-Encoding: chunked\r\n', `0x${CHUNKED}`)],
    [
      'a chunk beyond all numbers',
      post('Transfer-Encoding: chunked\r\n', 'f'.repeat(17) + CHUNKED),
    ],
    ['a chunk that ends late', post('Transfer-Encoding: chunked\r\n', `5${CHUNKED.slice(1)}`)],
    [
      'chunks with bare line feeds',
      post('Transfer-Encoding: chunked\r\n', CHUNKED.replaceAll('\r', '')),
    ],
    [
      'a line feed in an extension',
      post('Transfer-Encoding: chunked\r\n', CHUNKED.replace('c', 'c;a\nb')),
    ],
    [
      'a length in the trailer',
      post(
        'Transfer-Encoding: chunked\r\n',
        CHUNKED.replace('0\r\n', '0\r\nContent-Length: 5\r\n'),
      ),
    ],
    ['bare line feeds', get('Host: a\r\n').replaceAll('\r', '')],
    ['bare carriage returns', get('Host: a\r\n').replaceAll('\n', '')],
    ['a carriage return in a header', get('Host: a\r\nX: a\rb\r\n')],
    ['a blank before the first header', get(' Host: a\r\n')],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.2', get('Host: a\r\n').replace('1.1', '1.2')],
    ['a method in small letters', get('Host: a\r\n').toLowerCase()],
    ['tabs for blanks', get('Host: a\r\n').replaceAll(' ', '\t')],
    ['a NUL in the path', get('Host: a\r\n').replace('smoke', '\0')],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
  ])('%s is answered 400, and nothing behind it', async (_, bytes) => {
    const received = await sendRaw(app, Buffer.concat([Buffer.from(bytes), Buffer.from(HIDDEN)]));
    // Where the parser went on to a request that it took to be good, that was answered before.
    expect(answersIn(received).at(-1)).toEqual([400, MALFORMED]);
    expect(received).not.toContain('404 Not Found');
  });

  it.each([
    ['two hosts', 'Host: a\r\nHost: b\r\n', 'The request has more than one Host header'],
    ['one host twice', 'Host: a\r\nhost: a\r\n', 'The request has more than one Host header'],
    ['a host that is none', 'Host: a b\r\n', 'The Host header is malformed'],
    ['a host with a path', 'Host: a/b\r\n', 'The Host header is malformed'],
    ['a host with a user', 'Host: a@b\r\n', 'The Host header is malformed'],
    ['no host', 'X: y\r\n', 'The Host header is missing'],
  ])('%s is answered 400, and nothing behind it is even looked at', async (_, headers, detail) => {
    const before = log.length;
    const received = await sendRaw(app, get(headers) + HIDDEN);
    expect(answersIn(received)).toEqual([[400, JSON.stringify({ detail })]]);
    await waitFor(() => log.length > before);
    expect(log.slice(before)).toEqual([expect.objectContaining({ status: 400 })]);
  });

  it.each(['localhost:8000', '[::1]:8000', 'xn--bcher-kva.example', ''])(
    'host %j is one',
    async (host) => {
      const received = await sendRaw(app, get(`Host: ${host}\r\nConnection: close\r\n`));
      expect(answersIn(received)).toEqual([[200, expect.any(String)]]);
    },
  );

  it('does not take the body of a GET for the next request', async () => {
    const received = await sendRaw(
      app,
      `${get(`Host: a\r\nContent-Length: ${HIDDEN.length}\r\n`)}${HIDDEN}${get('Host: a\r\nConnection: close\r\n')}`,
    );
    expect(answersIn(received).map(([status]) => status)).toEqual([200, 200]);
  });
});

describe('what follows a request that is not answered yet', () => {
  it('closes the connection when it is a CONNECT, which makes it another', async () => {
    const received = await sendRaw(
      app,
      'GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    expect(received).not.toContain('404');
  });

  it('is refused once, however much of it there is', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    let answer: () => void = () => undefined;
    const { app: slow } = await createTestApp({
      prepare(unready) {
        unready.use('/slow', (_: Request, res: Response) => {
          answer = () => res.end('late');
        });
      },
    });
    const socket = connect(portOf(slow), '127.0.0.1');
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    for (let i = 0; i < 40; i++) {
      socket.write('\0garbage');
      // A round trip, so that the pieces arrive one by one.
      await send(slow, 'GET', '/system/healthz');
    }
    answer();
    expect(answersIn(await text(socket))).toEqual([[200, 'late']]);
    process.off('warning', warn);
    expect(warnings).toEqual([]);
  });
});

describe('headers', () => {
  it.each([
    ['one of 20 kB', `X: ${'x'.repeat(20_000)}\r\n`],
    ['4,000 of 10 bytes', 'X: 45678\r\n'.repeat(4000)],
  ])('that are too large are answered 431: %s', async (_, headers) => {
    const received = await sendRaw(app, get(`Host: a\r\n${headers}`));
    expect(answersIn(received)).toEqual([[431, '{"detail":"The request headers are too large"}']]);
  });

  it('that are there twice make no mixture', async () => {
    const received = await sendRaw(
      app,
      get('Host: a\r\nX-Request-Id: a\r\nX-Request-Id: b\r\nConnection: close\r\n'),
    );
    expect(received).toMatch(/\r\nX-Request-Id: [0-9a-f]{8}-[0-9a-f-]{27}\r\n/);
  });

  it('of names that JavaScript has plans with are headers', async () => {
    const received = await sendRaw(
      app,
      get('Host: a\r\n__proto__: {}\r\nconstructor: x\r\ntoString: y\r\nConnection: close\r\n'),
    );
    expect(answersIn(received).map(([status]) => status)).toEqual([200]);
  });
});

describe('JSON of names that JavaScript has plans with', () => {
  it.each([
    ['{"ping":"p","__proto__":{"polluted":true}}', 200],
    ['{"ping":"p","constructor":{"prototype":{"polluted":true}}}', 200],
    ['{"__proto__":{"ping":"p"}}', 422],
    ['{"ping":{"__proto__":{"polluted":true}}}', 422],
    ['{"ping":"p","toString":1,"hasOwnProperty":1,"then":1,"length":-1}', 200],
    ['{"__proto__":null}', 422],
  ])('%s pollutes nothing', async (body, status) => {
    const answer = await send(app, 'POST', ECHO, { 'Content-Type': 'application/json' }, body);
    expect(answer.status).toBe(status);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('a client that takes its time', () => {
  async function open(service: Service): Promise<Socket> {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  it('over its headers is answered 408 after ten seconds, and a thousand of them harm nobody', async () => {
    // With a small heap garbage is collected early: what is measured is what is held.
    const env = { NODE_OPTIONS: '--max-old-space-size=64 --max-semi-space-size=4' };
    const service = await startService({ env });
    const memory = async () => {
      const status = await readFile(`/proc/${service.process.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    };
    const half = 'GET /system/healthz HTTP/1.1\r\nHost: a\r\nX: ';
    const attack = async () => {
      const sockets = await Promise.all(Array.from({ length: 1000 }, () => open(service)));
      const startedAt = performance.now();
      const answers = sockets.map((socket) => text(socket));
      const drips = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write('x');
      }, 1000);
      for (const socket of sockets) socket.write(half);
      for (let i = 0; i < 100; i++) {
        const answer = await fetch(`${service.url}/system/healthz`);
        expect(answer.status).toBe(200);
      }
      const received = (await Promise.all(answers)).map((answer) => answersIn(answer)[0]);
      clearInterval(drips);
      const expected = [408, '{"detail":"The request did not arrive in time"}'];
      // A write that crosses the answer can make a reset of it.
      expect(
        received.filter((answer) => String(answer) === String(expected)).length,
      ).toBeGreaterThan(900);
      return performance.now() - startedAt;
    };
    // The first attack makes the process as large as it becomes.
    const durations = [await attack()];
    const before = await memory();
    durations.push(await attack());
    expect((await memory()) - before).toBeLessThan(16);
    for (const duration of durations) {
      expect(duration).toBeGreaterThan(9000);
      expect(duration).toBeLessThan(20_000);
    }
    expect(await stopService(service)).toMatchObject({ code: 0 });
  });

  it('over its body is answered 408', async () => {
    const slow = await createTestApp();
    // The minute that it has is too long for a test.
    Object.assign(slow.app.getHttpServer(), { headersTimeout: 300, requestTimeout: 300 });
    const received = await sendRaw(slow.app, post('Content-Length: 12\r\n', '{'));
    expect(answersIn(received)).toEqual([[408, '{"detail":"The request did not arrive in time"}']]);
  });

  it('between two requests has 65 seconds', async () => {
    const { headers } = await send(app, 'GET', '/system/healthz', { Connection: 'keep-alive' });
    expect(headers['keep-alive']).toBe('timeout=65');
  });

  it('and reads nothing of its answers is left alone after a while', async () => {
    const { app: sender } = await createTestApp();
    expect(sender.getHttpServer().timeout).toBe(120_000);
    sender.getHttpServer().timeout = 300;
    const socket = connect(portOf(sender), '127.0.0.1').pause();
    socket.on('error', () => undefined);
    socket.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50));
    const connections = () =>
      new Promise((resolve) => {
        sender.getHttpServer().getConnections((_, count) => {
          resolve(count);
        });
      });
    await waitFor(async () => (await connections()) === 1);
    const startedAt = performance.now();
    await waitFor(async () => (await connections()) === 0);
    expect(performance.now() - startedAt).toBeGreaterThan(200);
    socket.destroy();
  });

  it('and vanishes in the middle of things harms nobody', async () => {
    for (const bytes of [
      '',
      'G',
      get('Host: a\r\n').slice(0, -2),
      post('Content-Length: 12\r\n', '{'),
      post('Transfer-Encoding: chunked\r\n', 'c\r\n{'),
      'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    ]) {
      for (const leave of ['end', 'resetAndDestroy'] as const) {
        const socket = connect(portOf(app), '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(bytes);
        await setTimeout(1);
        socket[leave]();
      }
    }
    await waitFor(() => app.get(ConnectionTracker).openRequests === 0);
    expect((await send(app, 'GET', '/system/healthz')).status).toBe(200);
  });
});
