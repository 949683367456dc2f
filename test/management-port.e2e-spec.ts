import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  type ArgumentsHost,
  type CallHandler,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Global,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import { Gauge, Registry } from 'prom-client';
import { map } from 'rxjs';
import request from 'supertest';
import {
  ReadinessCheck,
  type ReadinessIndicator,
} from '../src/platform/health/readiness-check.decorator.js';
import { shutDown } from '../src/platform/lifecycle/shutdown.js';
import { parseSettings } from '../src/platform/settings/parse-settings.js';
import { createTestApp, type TestApp, type TestAppOptions } from './fixtures/app.js';
import { findFreePort } from './fixtures/free-port.js';
import { listen, openSocket, sendRaw, type Target } from './fixtures/http.js';
import { runService, startWithManagementPort, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const LIVENESS = { status: 'ok', message: 'PetSage API is alive and running!' };

/** Starts an application with MANAGEMENT_PORT. Returns it and the URL of that port. */
async function createManagedApp(options: TestAppOptions = {}): Promise<TestApp & { url: string }> {
  const [settings, url] = await chooseManagementPort(options.settings);
  return { ...(await createTestApp({ ...options, settings })), url };
}

/** Adds a free MANAGEMENT_PORT to settings. Returns them and the URL of that port. */
async function chooseManagementPort(
  settings: Record<string, string> = {},
): Promise<[settings: Record<string, string>, url: string]> {
  const MANAGEMENT_PORT = String(await findFreePort());
  return [
    { HOST: '127.0.0.1', MANAGEMENT_PORT, ...settings },
    `http://127.0.0.1:${MANAGEMENT_PORT}`,
  ];
}

describe('MANAGEMENT_PORT', () => {
  let app: TestApp['app'];
  let url: string;

  beforeAll(async () => {
    ({ app, url } = await createManagedApp());
  });

  it('serves the metrics of the main port', async () => {
    await request(app.getHttpServer()).get('/system/healthz').expect(200);
    await request(url).get('/system/healthz').expect(200);
    await request(url)
      .get('/metrics')
      .expect('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
      .expect(200, /^http_request_duration_seconds_count\{.*route="\/system\/healthz".*\} 1$/m);
  });

  it('removes /metrics from the main port', async () => {
    await request(app.getHttpServer()).get('/metrics').expect(404, { detail: 'Not Found' });
  });

  it.each([
    ['get', '/', 404, 'Not Found'],
    ['get', '/system', 404, 'Not Found'],
    ['get', '/system/nope', 404, 'Not Found'],
    ['get', '/docs', 404, 'Not Found'],
    ['post', '/metrics', 405, 'Method Not Allowed'],
    ['post', '/system/healthz', 405, 'Method Not Allowed'],
    ['get', '/%zz', 400, 'The path is malformed: it is not valid percent-encoded UTF-8'],
  ] as const)('responds to %s %s with %i', async (method, path, status, detail) => {
    const response = await request(url)[method](path).expect(status, { detail });
    expect(response.headers).toMatchObject({
      'x-request-id': expect.any(String) as string,
      'cache-control': 'no-store',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    });
  });

  it('responds with 500 if a metric fails, and logs the cause', async () => {
    const { app: faulty, log, url } = await createManagedApp();
    const registry = faulty.get(Registry);
    new Gauge({
      name: 'faulty',
      help: 'A gauge that fails.',
      registers: [registry],
      collect() {
        throw new Error('no value');
      },
    });
    await request(url).get('/metrics').expect(500, { detail: 'Internal Server Error' });
    expect(log).toEqual([
      expect.objectContaining({
        level: 'error',
        err: expect.objectContaining({ message: 'no value' }) as object,
      }),
    ]);
  });

  it('aborts start-up if the port is in use', async () => {
    const server = createServer();
    const port = await listen(server);
    const exit = await runService({ env: { PORT: '0', MANAGEMENT_PORT: String(port) } });
    server.close();
    expect(exit).toMatchObject({
      code: 1,
      stderr: `Cannot listen on 127.0.0.1:${port} (EADDRINUSE). Set MANAGEMENT_PORT to a port that is free.\n`,
    });
    expect(exit.stdout).not.toContain('Listening on');
  });

  it('responds while the service drains', async () => {
    const [service, managementUrl] = await startWithManagementPort({
      env: { SHUTDOWN_DELAY_MS: '600000' },
    });
    service.process.kill('SIGTERM');
    await waitFor(async () => {
      const response = await request(service.url).get('/system/readyz');
      return response.status === 503;
    });
    await request(managementUrl).get('/system/healthz').expect(200);
    await request(managementUrl)
      .get('/system/readyz')
      .expect(503, { status: 'draining', checks: {} });
    await request(managementUrl)
      .get('/metrics')
      .expect(200, /^petsage_lifecycle_phase\{phase="draining"\} 1$/m);
    await stopService(service);
  });

  it('is closed with the application', async () => {
    const { app: closing, url } = await createManagedApp();
    await request(url).get('/metrics').expect(200);
    await closing.close();
    await expect(fetch(`${url}/metrics`)).rejects.toThrow();
  });

  it('is closed if the application cannot be created', async () => {
    const [settings, url] = await chooseManagementPort();
    const isOpen = () =>
      fetch(url).then(
        () => true,
        () => false,
      );
    const connect = async () => {
      await waitFor(isOpen);
      throw new Error('no store');
    };
    @Module({ providers: [{ provide: 'STORE', useFactory: connect }] })
    class StoreModule {}
    const created = createTestApp({ settings, features: [StoreModule] });
    await expect(created).rejects.toThrow('no store');
    await waitFor(async () => !(await isOpen()));
  });

  it('does not delay the shutdown with open connections', async () => {
    const [service, managementUrl] = await startWithManagementPort();
    const idle = await openSocket({ url: managementUrl });
    idle.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(idle, 'data');
    const halfSent = await openSocket({ url: managementUrl });
    halfSent.write('GET /metrics HTTP/1.1\r\nHo');
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
  });

  it('reports that the service is alive but not ready until the main port listens', async () => {
    const [settings, url] = await chooseManagementPort();
    let finishStarting: (store: object) => void = () => undefined;
    const store = new Promise((resolve) => (finishStarting = resolve));
    @Module({ providers: [{ provide: 'STORE', useFactory: () => store }] })
    class SlowModule {}
    const assertStarting = async () => {
      await request(url).get('/system/healthz').expect(200, LIVENESS);
      await request(url).get('/system/readyz').expect(503, { detail: 'Starting' });
      await request(url).get('/system/info').expect(200);
      await request(url)
        .get('/metrics')
        .expect(200, /^petsage_lifecycle_phase\{phase="starting"\} 1$/m);
    };
    const started = createTestApp({
      settings,
      features: [SlowModule],
      prepare: async (starting) => {
        await starting.init();
        await assertStarting();
      },
    });
    await waitFor(() =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    );
    await assertStarting();
    finishStarting({});
    const { log } = await started;
    await request(url)
      .get('/system/readyz')
      .expect(200, { status: 'ok', checks: { event_loop: 'up', log: 'up' } });
    expect(log).toEqual([]);
  });

  it('runs no readiness check for the metrics before its feature is initialized', async () => {
    const [settings, url] = await chooseManagementPort();
    let scrape = '';
    @Injectable()
    @ReadinessCheck({ name: 'pet_store' })
    class PetStoreIndicator implements ReadinessIndicator, OnModuleInit {
      private isConnected = false;

      async onModuleInit(): Promise<void> {
        scrape = (await request(url).get('/metrics').expect(200)).text;
        this.isConnected = true;
      }

      async check(): Promise<void> {
        await (this.isConnected ? Promise.resolve() : Promise.reject(new Error('not connected')));
      }
    }
    @Module({ providers: [PetStoreIndicator] })
    class PetsModule {}
    await createTestApp({ settings, features: [PetsModule] });
    expect(scrape).not.toContain('pet_store');
    await request(url)
      .get('/metrics')
      .expect(200, /^petsage_readiness_check_up\{check="pet_store",optional="false"\} 1$/m);
  });

  it('responds until the last feature is closed', async () => {
    const responses: [status: number, body: unknown][] = [];
    class Pool implements OnApplicationShutdown {
      async onApplicationShutdown(): Promise<void> {
        for (const path of ['/system/healthz', '/system/readyz']) {
          const response = await request(url).get(path);
          responses.push([response.status, response.body]);
        }
      }
    }
    @Module({ providers: [Pool] })
    class PoolModule {}
    // Nest closes modules that are imported by others, and global ones, later.
    @Global()
    @Module({ imports: [PoolModule], providers: [Pool] })
    class PetsModule {}
    const { app, url } = await createManagedApp({ features: [PetsModule] });
    await shutDown(app, parseSettings({ SHUTDOWN_DELAY_MS: '0' }).settings, 'SIGTERM');
    const expected = [
      [200, LIVENESS],
      [503, { status: 'draining', checks: {} }],
    ];
    expect(responses).toEqual([...expected, ...expected]);
    await expect(fetch(url)).rejects.toThrow();
  });
});

/** Sends a request, and replaces what differs between two equal requests. */
async function receive(target: Target, path: string, head: string): Promise<string> {
  const response = await sendRaw(target, `${head}\r\nConnection: close\r\n\r\n`);
  const stable = response
    .replace(/^Date: .*$/m, 'Date: -')
    .replace(/^X-Request-Id: [\da-f-]{36}$/im, 'X-Request-Id: -')
    .replace(/"uptimeSeconds":\d+/, '"uptimeSeconds":0');
  if (!path.startsWith('/metrics')) return stable;
  return stable
    .replace(/^Content-Length: .*$/m, 'Content-Length: -')
    .replace(/^ETag: .*$/m, 'ETag: -')
    .replaceAll(/^[a-z].*\n/gm, '');
}

const SETTINGS: Record<string, string>[] = [{}, { CORS_ORIGINS: 'https://petsage.io' }];

describe.each(SETTINGS)('MANAGEMENT_PORT and %o', (settings) => {
  let main: TestApp['app'];
  let url: string;

  beforeAll(async () => {
    ({ app: main } = await createTestApp({ settings }));
    ({ url } = await createManagedApp({ settings }));
  });

  describe.each(['/metrics', '/system/healthz', '/system/readyz', '/system/info', '/nope', '/%zz'])(
    '%s',
    (path) => {
      it.each([
        ['GET', `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: probe-1`],
        ['GET without a request id', `GET ${path} HTTP/1.1\r\nHost: a`],
        ['GET with an Origin', `GET ${path} HTTP/1.1\r\nHost: a\r\nOrigin: https://petsage.io`],
        ['GET with a query', `GET ${path}?a=b HTTP/1.1\r\nHost: a`],
        ['GET with a trailing slash', `GET ${path}/ HTTP/1.1\r\nHost: a`],
        ['GET with HTTP/1.0', `GET ${path} HTTP/1.0`],
        ['GET with an absolute target', `GET http://a${path} HTTP/1.1\r\nHost: a`],
        ['GET in upper case', `GET ${path.toUpperCase()} HTTP/1.1\r\nHost: a`],
        ['HEAD', `HEAD ${path} HTTP/1.1\r\nHost: a`],
        ['POST', `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0`],
        ['OPTIONS', `OPTIONS ${path} HTTP/1.1\r\nHost: a`],
        [
          'a preflight request',
          `OPTIONS ${path} HTTP/1.1\r\nHost: a\r\nOrigin: https://petsage.io\r\nAccess-Control-Request-Method: GET`,
        ],
        ['a malformed Host', `GET ${path} HTTP/1.1\r\nHost: a b`],
        ['no Host', `GET ${path} HTTP/1.1`],
        ['a malformed header', `GET ${path} HTTP/1.1\r\nHost: a\r\nA b`],
        ['too large headers', `GET ${path} HTTP/1.1\r\nHost: a\r\nA: ${'a'.repeat(17_000)}`],
      ])('responds to %s as the main port does', async (_title, head) => {
        expect(await receive({ url }, path, head)).toBe(await receive(main, path, head));
      });
    },
  );
});

/** Rejects, changes, or handles every request. */
@Controller()
class IntrusiveController {
  @Get(['system/extra', 'metrics/x', 'docs/x'])
  get() {
    return {};
  }
}

class RejectAllGuard {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<Request>();
    if (headers['x-admit']) return true;
    throw new ForbiddenException();
  }
}

class ChangeBodyInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<object>) {
    return next.handle().pipe(map((body) => Object.assign(body, { changed: true })));
  }
}

@Catch()
class TeapotFilter implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Response>().status(418).json({ error: 'teapot' });
  }
}

@Module({
  controllers: [IntrusiveController],
  providers: [
    { provide: APP_GUARD, useClass: RejectAllGuard },
    { provide: APP_INTERCEPTOR, useClass: ChangeBodyInterceptor },
    { provide: APP_FILTER, useClass: TeapotFilter },
  ],
})
class IntrusiveModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const mark = (_req: Request, res: Response, next: NextFunction) => {
      res.set('X-Middleware', 'feature');
      next();
    };
    consumer.apply(mark).forRoutes('{*path}');
  }
}

describe('MANAGEMENT_PORT and a feature with global enhancers', () => {
  let app: TestApp['app'];
  let url: string;
  let plainUrl: string;

  beforeAll(async () => {
    ({ app, url } = await createManagedApp({ features: [IntrusiveModule] }));
    ({ url: plainUrl } = await createManagedApp());
  });

  it.each(['/system/healthz', '/system/readyz', '/system/info'])(
    'lets the feature act on %s of the main port',
    async (path) => {
      await request(app.getHttpServer())
        .get(path)
        .expect('X-Middleware', 'feature')
        .expect(418, { error: 'teapot' });
      const admitted = request(app.getHttpServer()).get(path).set('X-Admit', '1');
      expect((await admitted.expect(200)).body).toMatchObject({ changed: true });
    },
  );

  it.each(['/metrics', '/system/healthz', '/system/readyz', '/system/info', '/nope', '/%zz'])(
    'responds to GET and POST %s as without the feature',
    async (path) => {
      for (const method of ['GET', 'POST']) {
        const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0`;
        expect(await receive({ url }, path, head)).toBe(
          await receive({ url: plainUrl }, path, head),
        );
      }
    },
  );

  it.each(['/system/extra', '/metrics/x', '/docs/x'])(
    'serves %s of the feature on the main port only',
    async (path) => {
      await request(app.getHttpServer())
        .get(path)
        .set('X-Admit', '1')
        .expect(200, { changed: true });
      const response = await request(url).get(path).set('X-Admit', '1');
      expect([response.status, response.body]).toEqual([404, { detail: 'Not Found' }]);
      expect(response.headers).not.toHaveProperty('x-middleware');
    },
  );
});
