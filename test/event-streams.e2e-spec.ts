import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setInterval } from 'node:timers';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  Injectable,
  type MessageEvent,
  Module,
  type OnApplicationShutdown,
  Req,
  Res,
  Sse,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import { finalize, interval, map, type Observable } from 'rxjs';
import { WebSocket, WebSocketServer } from 'ws';
import { shutDown } from '../src/platform/lifecycle/shutdown.js';
import { parseSettings } from '../src/platform/settings/parse-settings.js';
import { createTestApp } from './fixtures/app.js';
import { getPort, openSocket, parseResponses } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

// No test waits for this time: a shutdown that does exceeds the time limit of the test.
const VERY_LONG_MS = '600000';

/** Responses that no handler has finished. */
const open: Response[] = [];
const closed: string[] = [];

@Controller()
class StreamsController {
  @Sse('events')
  events(): Observable<MessageEvent> {
    return interval(1).pipe(
      map((n) => ({ data: { n } })),
      finalize(() => closed.push('events')),
    );
  }

  @Get('own-events')
  ownEvents(@Req() req: Request, @Res() res: Response): void {
    res.type('text/event-stream').write('data: first\n\n');
    const timer = setInterval(() => res.write('data: next\n\n'), 1);
    req.on('close', () => {
      clearInterval(timer);
      closed.push('own-events');
    });
  }

  @Get('download')
  download(@Res() res: Response): void {
    res.type('text/csv').write('one,');
    open.push(res);
  }
}

@Injectable()
class ShutdownService implements BeforeApplicationShutdown, OnApplicationShutdown {
  static readonly signals: unknown[] = [];

  beforeApplicationShutdown(signal?: string): void {
    ShutdownService.signals.push(signal);
  }

  onApplicationShutdown(signal?: string): void {
    ShutdownService.signals.push(signal);
  }
}

@Module({ controllers: [StreamsController], providers: [ShutdownService] })
class StreamsModule {}

function stop(app: NestExpressApplication, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const settings = { SHUTDOWN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: VERY_LONG_MS };
  return shutDown(app, parseSettings(settings).settings, signal);
}

async function openStream(app: NestExpressApplication, path: string): Promise<IncomingMessage> {
  const sent = get({ port: getPort(app), path, agent: false });
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await once(response, 'readable');
  return response;
}

/** Accepts WebSockets and returns the close codes that the server receives. */
function acceptWebSockets(app: NestExpressApplication): number[] {
  const server = new WebSocketServer({ noServer: true });
  const codes: number[] = [];
  app.getHttpServer().on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    server.handleUpgrade(req, socket, head, (client) => {
      client.on('close', (code) => codes.push(code));
      client.on('message', (data: Buffer) => {
        client.send(data.toString());
      });
    });
  });
  return codes;
}

describe('Shutdown', () => {
  beforeEach(() => {
    closed.length = 0;
    open.length = 0;
  });

  it.each([
    ['@Sse()', 'events', /^\nid: 1\ndata: {"n":0}\n\n[^]*\n\n$/],
    ['an own event stream', 'own-events', /^data: first\n\n(data: next\n\n)*$/],
  ])('completes %s when the process stops listening', async (_, name, expected) => {
    const { app, log } = await createTestApp({ features: [StreamsModule] });
    const stream = await openStream(app, `/${name}`);
    const received = text(stream);
    await stop(app);
    expect(await received).toMatch(expected);
    expect(stream.complete).toBe(true);
    await waitFor(() => closed.length > 0);
    expect(closed).toEqual([name]);
    expect(log).toContainEqual(
      expect.objectContaining({ msg: 'Request completed', route: `/${name}`, statusCode: 200 }),
    );
  });

  it('waits for other responses', async () => {
    const { app } = await createTestApp({ features: [StreamsModule] });
    const received = text(await openStream(app, '/download'));
    const events = text(await openStream(app, '/events'));
    const stopped = stop(app);
    await events;
    open[0]?.end('two');
    expect(await received).toBe('one,two');
    await stopped;
  });

  it('completes an event stream that starts during the shutdown', async () => {
    const { app } = await createTestApp({ features: [StreamsModule] });
    const received = text(await openStream(app, '/download'));
    const socket = await openSocket(app);
    socket.write('GET /events HTTP/1.1\r\nHost: a\r\n');
    const stopped = stop(app);
    await waitFor(() => !(app.getHttpServer() as { listening: boolean }).listening);
    socket.write('\r\n');
    expect(parseResponses(await text(socket))).toMatchObject([{ status: 200 }]);
    open[0]?.end('two');
    expect(await received).toBe('one,two');
    await stopped;
  });

  it('closes WebSockets with code 1001', async () => {
    const { app } = await createTestApp({ features: [StreamsModule] });
    const codes = acceptWebSockets(app);
    const client = new WebSocket(`ws://127.0.0.1:${getPort(app)}/`);
    await once(client, 'open');
    client.send('echo');
    expect(String((await once(client, 'message'))[0])).toBe('echo');
    const close = once(client, 'close');
    await stop(app);
    const [code] = (await close) as [number];
    await waitFor(() => codes.length > 0);
    expect([code, ...codes]).toEqual([1001, 1001]);
  });

  it('closes a WebSocket whose client does not respond', async () => {
    const { app } = await createTestApp({ features: [StreamsModule] });
    acceptWebSockets(app);
    const socket = await openSocket(app);
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
    );
    await once(socket, 'data');
    const received = text(socket.setEncoding('latin1'));
    await stop(app);
    expect(await received).toBe('\x88\x02\x03\xe9');
  });

  it('handles a request to upgrade as any other, without a WebSocket server', async () => {
    const { app } = await createTestApp();
    const socket = await openSocket(app);
    socket.write(
      'GET /system/healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    );
    const [received] = (await once(socket, 'data')) as [Buffer];
    expect(parseResponses(String(received))).toMatchObject([{ status: 200 }]);
    socket.destroy();
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('passes %s to the hooks', async (signal) => {
    const { app } = await createTestApp({ features: [StreamsModule] });
    ShutdownService.signals.length = 0;
    await stop(app, signal);
    expect(ShutdownService.signals).toEqual([signal, signal]);
  });
});
