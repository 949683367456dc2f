import { once } from 'node:events';
import { type CanActivate, Injectable, Module, UseGuards } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
  type WsResponse,
} from '@nestjs/websockets';
import { from, map, type Observable } from 'rxjs';
import request from 'supertest';
import { type Server, WebSocket } from 'ws';
import { shutDown } from '../../src/platform/lifecycle/shutdown.js';
import { parseSettings } from '../../src/platform/settings/parse-settings.js';
import { createTestApp } from '../fixtures/app.js';
import { getPort } from '../fixtures/http.js';
import { waitFor } from '../fixtures/wait-for.js';

@Injectable()
class RejectingGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@WebSocketGateway({ path: '/chat' })
class ChatGateway implements OnGatewayConnection, OnGatewayDisconnect {
  connections = 0;

  @WebSocketServer()
  private readonly server!: Server;

  handleConnection(): void {
    this.connections++;
  }

  handleDisconnect(): void {
    this.connections--;
  }

  @SubscribeMessage('identity')
  identity(@MessageBody() data: number): WsResponse<number> {
    return { event: 'identity', data };
  }

  @SubscribeMessage('count')
  count(@MessageBody() data: number[]): Observable<WsResponse<number>> {
    return from(data).pipe(map((item) => ({ event: 'count', data: item + 1 })));
  }

  @SubscribeMessage('greet')
  greet(@ConnectedSocket() client: WebSocket): void {
    client.send('hello');
  }

  @SubscribeMessage('broadcast')
  broadcast(@MessageBody() text: string): void {
    for (const client of this.server.clients) client.send(text);
  }

  @UseGuards(RejectingGuard)
  @SubscribeMessage('forbidden')
  forbidden(): WsResponse<string> {
    return { event: 'forbidden', data: 'secret' };
  }
}

@Module({ providers: [ChatGateway] })
class ChatModule {}

async function createChat(): Promise<NestExpressApplication> {
  const { app } = await createTestApp({
    features: [ChatModule],
    prepare: (app) => {
      app.useWebSocketAdapter(new WsAdapter(app));
    },
  });
  return app;
}

async function openChat(app: NestExpressApplication): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${getPort(app)}/chat`);
  await once(client, 'open');
  return client;
}

async function receive(client: WebSocket, count = 1): Promise<string[]> {
  const received: string[] = [];
  client.on('message', (data: Buffer) => received.push(data.toString()));
  await waitFor(() => received.length >= count);
  return received;
}

function send(client: WebSocket, event: string, data?: unknown): void {
  client.send(JSON.stringify({ event, data }));
}

describe('a WebSocket gateway on the port of the service', () => {
  it('responds to messages', async () => {
    const client = await openChat(await createChat());
    send(client, 'identity', 5);
    expect(await receive(client)).toEqual(['{"event":"identity","data":5}']);
    send(client, 'count', [1, 2]);
    expect(await receive(client, 2)).toEqual([
      '{"event":"count","data":2}',
      '{"event":"count","data":3}',
    ]);
    send(client, 'greet');
    expect(await receive(client)).toEqual(['hello']);
    client.terminate();
  });

  it('sends to all clients', async () => {
    const app = await createChat();
    const clients = [await openChat(app), await openChat(app)] as const;
    const received = clients.map((client) => receive(client));
    send(clients[0], 'broadcast', 'to all');
    expect(await Promise.all(received)).toEqual([['to all'], ['to all']]);
    for (const client of clients) client.terminate();
  });

  it('applies guards', async () => {
    const client = await openChat(await createChat());
    send(client, 'forbidden');
    expect((await receive(client)).map((text) => JSON.parse(text) as unknown)).toEqual([
      {
        event: 'exception',
        data: {
          status: 'error',
          message: 'Forbidden resource',
          cause: { pattern: 'forbidden' },
        },
      },
    ]);
    client.terminate();
  });

  it('serves HTTP as without it, and rejects WebSockets of other paths', async () => {
    const app = await createChat();
    await request(app.getHttpServer()).get('/chat').expect(404, { detail: 'Not Found' });
    await request(app.getHttpServer()).get('/system/healthz').expect(200);
    const client = new WebSocket(`ws://127.0.0.1:${getPort(app)}/other`);
    const [error] = (await once(client, 'error')) as [Error];
    expect(error.message).toBe('socket hang up');
  });

  it('closes its clients with code 1001 on SIGTERM', async () => {
    const app = await createChat();
    const client = await openChat(app);
    const gateway = app.get(ChatGateway);
    await waitFor(() => gateway.connections === 1);
    const close = once(client, 'close');
    const settings = { SHUTDOWN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: '600000' };
    await shutDown(app, parseSettings(settings).settings, 'SIGTERM');
    expect((await close)[0]).toBe(1001);
    expect(gateway.connections).toBe(0);
  });
});
