import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { waitFor } from '../../../test/fixtures/wait-for.js';
import { ConnectionTracker } from './connection-tracker.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK_CLOSED = /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*Connection: close\r\n/;

describe('ConnectionTracker', () => {
  let tracker: ConnectionTracker;
  let server: Server;
  let closed: string[];
  /** Responses that no handler has finished, by the path of their requests. */
  let open: Map<string | undefined, ServerResponse>;

  beforeEach(async () => {
    tracker = new ConnectionTracker();
    // Not shared with callbacks of the previous test's connections.
    const paths: string[] = (closed = []);
    open = new Map();
    server = createServer((req: IncomingMessage, res: ServerResponse) => {
      tracker.track(res, () => paths.push(String(req.url)));
      tracker.handle(res, () => {
        if (req.url === '/') res.end('ok');
        else open.set(req.url, res);
      });
    }).listen(0, '127.0.0.1');
    tracker.watch(server);
    await once(server, 'listening');
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  async function openConnection(request = ''): Promise<Socket> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(request);
    return socket;
  }

  async function openRequest(path: string): Promise<Socket> {
    const socket = await openConnection(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await waitFor(() => open.has(path));
    return socket;
  }

  it('counts open requests', async () => {
    await openRequest('/a');
    await openRequest('/b');
    expect(tracker.openRequests).toBe(2);
    open.get('/a')?.end();
    await waitFor(() => closed.length > 0);
    expect(closed).toEqual(['/a']);
    expect(tracker.openRequests).toBe(1);
  });

  it('calls onClose once for each pipelined request of a lost connection', async () => {
    const socket = await openRequest('/a');
    socket.write('GET /b HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(() => open.has('/b'));
    socket.destroy();
    await waitFor(() => closed.length >= 2);
    open.get('/a')?.end();
    open.get('/b')?.end();
    await setTimeout(0);
    expect(closed.toSorted()).toEqual(['/a', '/b']);
    expect(tracker.openRequests).toBe(0);
  });

  it('adds Connection: close to open and new responses', async () => {
    const old = await openRequest('/old');
    tracker.closeAfterResponse();
    open.get('/old')?.end('ok');
    expect(await text(old)).toMatch(OK_CLOSED);
    expect(await text(await openConnection(GET))).toMatch(OK_CLOSED);
  });

  it('adds Connection: close only to the last of several pipelined responses', async () => {
    tracker.closeAfterResponse();
    const socket = await openRequest('/a');
    socket.write('GET /b HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(() => open.has('/b'));
    for (const response of open.values()) response.end('ok');
    const responses = (await text(socket)).split(/(?=HTTP\/1\.1 )/);
    expect(responses.map((response) => /Connection: (.+)\r\n/.exec(response)?.[1])).toEqual([
      'keep-alive',
      'close',
    ]);
  });

  it('closes the listener and idle connections', async () => {
    const idle = await openConnection(GET);
    await once(idle, 'data');
    expect(await tracker.close(60_000)).toBe(0);
    await expect(text(idle)).resolves.toBe('');
    expect(server.listening).toBe(false);
  });

  it('waits for open requests', async () => {
    const socket = await openRequest('/slow');
    const response = text(socket);
    let isClosed = false;
    const close = tracker.close(60_000).then((aborted) => {
      isClosed = true;
      return aborted;
    });
    await waitFor(() => !server.listening);
    expect(isClosed).toBe(false);
    tracker.closeAfterResponse();
    open.get('/slow')?.end('ok');
    expect(await response).toMatch(OK_CLOSED);
    expect(await close).toBe(0);
  });

  it('waits for the request of a connection that was just accepted', async () => {
    const socket = await openConnection();
    const close = tracker.close(60_000);
    tracker.closeAfterResponse();
    await waitFor(() => !server.listening);
    socket.write(GET);
    expect(await text(socket)).toMatch(OK_CLOSED);
    expect(await close).toBe(0);
  });

  it('aborts open requests after the timeout and returns their number', async () => {
    const sockets = await Promise.all([openRequest('/a'), openRequest('/b')]);
    expect(await tracker.close(0)).toBe(2);
    for (const socket of sockets) expect(await text(socket)).toBe('');
    await waitFor(() => closed.length >= 2);
    expect(closed.toSorted()).toEqual(['/a', '/b']);
  });

  it('defers requests that arrive while the listener is being closed', async () => {
    const socket = await openConnection(GET);
    await once(socket, 'data');
    const close = tracker.close(60_000);
    tracker.closeAfterResponse();
    const wasListening: boolean[] = [];
    socket.on('data', () => wasListening.push(server.listening));
    socket.write(GET);
    await once(socket, 'close');
    expect(wasListening).toEqual([false]);
    expect(await close).toBe(0);
  });
});
