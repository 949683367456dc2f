import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, get, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { Body, Controller, Get, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { IsString } from 'class-validator';
import express, { type Express } from 'express';
import request from 'supertest';
import { ApiAdapter } from '../src/platform/http/api.adapter.js';
import { ValidationModule } from '../src/platform/http/validation/validation.module.js';
import { ConnectionTracker } from '../src/platform/lifecycle/connection-tracker.js';
import { LogDestination } from '../src/platform/logging/log-destination.js';
import { createLogger } from '../src/platform/logging/logger.js';
import { PlatformModule } from '../src/platform/platform.module.js';
import { FeatureSettings, parseSettings } from '../src/platform/settings/parse-settings.js';
import { createTestApp } from './fixtures/app.js';
import { openSocket, parseResponses } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

class PetDto {
  @IsString()
  name!: string;
}

@Controller('pets')
class PetsController {
  @Get(':id')
  read(@Param('id') id: string) {
    return { id };
  }

  @Post()
  create(@Body() pet: PetDto) {
    return pet;
  }
}

@Module({ controllers: [PetsController] })
class PetsModule {}

const LIVE = { status: 'ok', message: 'PetSage API is alive and running!' };
const MISSING_NAME = {
  detail: [{ type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: {} }],
};

function getExpress(app: NestExpressApplication): Express {
  return app.getHttpAdapter().getInstance();
}

describe('The Express application', () => {
  it.each<[string, (own: Express) => Express]>([
    ['passed to supertest', (own) => own],
    ['mounted in another application', (own) => express().use('/', own)],
    ['mounted below a path', (own) => express().use('/nested', own)],
  ])('serves requests when %s', async (name, mount) => {
    const { app, log } = await createTestApp({ features: [PetsModule] });
    const server = mount(getExpress(app));
    const path = name.endsWith('path') ? '/nested' : '';
    await request(server)
      .get(`${path}/system/healthz`)
      .set('X-Request-Id', 'own-id')
      .expect(200, LIVE)
      .expect('X-Request-Id', 'own-id')
      .expect('Cache-Control', 'no-store')
      .expect('X-Content-Type-Options', 'nosniff');
    await request(server).post(`${path}/pets`).send({}).expect(422, MISSING_NAME);
    await request(server).post(`${path}/pets`).send({ name: 'Rex' }).expect(201, { name: 'Rex' });
    await request(server).get(`${path}/pets/1`).expect(200, { id: '1' });
    await request(server).get(`${path}/nope`).expect(404, { detail: 'Not Found' });
    await request(server).put(`${path}/pets/1`).expect(405).expect('Allow', 'GET, HEAD');
    await request(server)
      .get(`${path}/docs`)
      .redirects(1)
      .expect(200)
      .expect('Content-Security-Policy', /script-src 'self'/);
    const records = log.filter(({ context }) => context === 'RequestLog');
    expect(records.map(({ route }) => route)).toEqual(
      expect.arrayContaining(['/pets', '/pets/:id', 'unmatched']),
    );
  });

  it('serves requests of a server that node:http has created', async () => {
    const { app } = await createTestApp();
    const server = createServer(getExpress(app)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    await request(server).get('/system/healthz').expect(200, LIVE);
    await request(server).get('/system/readyz').expect(200);
    server.close();
  });
});

describe('createApp() without listen()', () => {
  it('serves requests of supertest', async () => {
    const { app } = await createTestApp({ features: [PetsModule], listen: false });
    await request(app.getHttpServer()).get('/pets/1').expect(200, { id: '1' });
    await request(app.getHttpServer()).post('/pets').send({}).expect(422, MISSING_NAME);
    await request(getExpress(app)).get('/system/readyz').expect(200);
  });
});

describe("Nest's own adapter", () => {
  it('serves a feature in a test module', async () => {
    const module = await Test.createTestingModule({ imports: [PetsModule] }).compile();
    const app = module.createNestApplication<NestExpressApplication>();
    await app.init();
    await request(app.getHttpServer()).get('/pets/1').expect(200, { id: '1' });
    await app.close();
  });

  it('validates and responds as the service with ValidationModule', async () => {
    const imports = [ValidationModule, PetsModule];
    const module = await Test.createTestingModule({ imports }).compile();
    const app = module.createNestApplication<NestExpressApplication>();
    await app.init();
    await request(app.getHttpServer()).post('/pets').send({}).expect(422, MISSING_NAME);
    await app.close();
  });
});

describe('ApiAdapter', () => {
  const tls = {
    key: readFileSync('test/fixtures/tls/key.pem'),
    cert: readFileSync('test/fixtures/tls/cert.pem'),
  };
  let connections: ConnectionTracker;
  let app: NestExpressApplication;

  async function createApp(options: object = {}): Promise<NestExpressApplication> {
    const { settings } = parseSettings({ LOG_LEVEL: 'silent' });
    const featureSettings = new FeatureSettings();
    const log = new LogDestination({
      write: (bytes, callback) => {
        callback(null, bytes.length);
      },
      reopen: () => false,
    });
    const logger = createLogger(settings, log, () => ({}));
    const migrations = new URL('./no-migrations/', import.meta.url);
    const created = await NestFactory.create<NestExpressApplication>(
      {
        module: PetsModule,
        imports: [PlatformModule.forRoot({ settings, featureSettings, log, logger, migrations })],
      },
      new ApiAdapter(settings),
      { bodyParser: false, logger: false, ...options },
    );
    connections = created.get(ConnectionTracker);
    return created;
  }

  afterEach(async () => {
    await app.close();
  });

  describe('with httpsOptions', () => {
    /** Opens a TLS connection and returns it with its number of received responses. */
    async function openTls(): Promise<TLSSocket> {
      const { port } = app.getHttpServer().address() as AddressInfo;
      const socket = connect({ port, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      return socket.on('error', () => undefined);
    }

    beforeEach(async () => {
      app = await createApp({ httpsOptions: tls });
      await app.listen(0, '127.0.0.1');
    });

    it('serves HTTPS with the same responses', async () => {
      expect(await app.getUrl()).toMatch(/^https:/);
      const { port } = app.getHttpServer().address() as AddressInfo;
      const sent = requestHttps({ port, path: '/pets/1', rejectUnauthorized: false }).end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      expect(await text(response)).toBe('{"id":"1"}');
      expect(response.headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
      const socket = await openTls();
      socket.write('NOT HTTP\r\n\r\n');
      expect(parseResponses(await text(socket))).toMatchObject([
        { status: 400, body: '{"detail":"The request is malformed"}' },
      ]);
    });

    it('closes a connection that is not encrypted', async () => {
      const socket = await openSocket(app);
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await once(socket.resume(), 'close');
    });

    it('finishes open requests when the listener is closed', async () => {
      const idle = await openTls();
      const socket = await openTls();
      socket.write('POST /pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n');
      socket.write('Content-Length: 14\r\nConnection: close\r\n\r\n');
      await waitFor(() => connections.openRequests > 0);
      const closed = connections.close(60_000);
      await once(idle.resume(), 'close');
      socket.write('{"name":"Rex"}');
      expect(parseResponses(await text(socket))).toMatchObject([{ status: 201 }]);
      expect(await closed).toBe(0);
    });
  });

  describe('listen()', () => {
    let folder: string;

    beforeEach(async () => {
      app = await createApp();
      folder = await mkdtemp(join(tmpdir(), 'petsage-'));
    });

    afterEach(async () => {
      await rm(folder, { recursive: true });
    });

    it('listens on a Unix domain socket', async () => {
      const socketPath = join(folder, 'petsage.sock');
      await app.listen(socketPath);
      expect(await app.getUrl()).toBe(`http+unix://${encodeURIComponent(socketPath)}`);
      const [response] = (await once(get({ socketPath, path: '/pets/1' }), 'response')) as [
        IncomingMessage,
      ];
      expect(await text(response)).toBe('{"id":"1"}');
    });

    it.each<[string, unknown[]]>([
      ['a port', [0]],
      ['a port as a string', ['0']],
      ['no port, as if PORT is not set', [undefined]],
      ['a port and a host', [0, '127.0.0.1']],
      ['a port, a host and a backlog', [0, '127.0.0.1', 10]],
      ['options', [{ port: 0, host: '127.0.0.1' }]],
    ])('takes %s', async (_, args) => {
      let isCalled = false;
      const listen = app.listen.bind(app) as (...args: unknown[]) => Promise<unknown>;
      await listen(...args, () => (isCalled = true));
      expect(isCalled).toBe(true);
      await request(await app.getUrl())
        .get('/pets/1')
        .expect(200, { id: '1' });
    });
  });
});
