import {
  All,
  Controller,
  Get,
  HostParam,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type NestMiddleware,
  type NestModule,
  Next,
  Param,
  Post,
  RequestMethod,
  VERSION_NEUTRAL,
  Version,
} from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { requestState } from '../src/platform/http/request-state.js';
import { createTestApp } from './fixtures/app.js';
import type { LogRecord } from './fixtures/log-records.js';

const NOT_FOUND = { detail: 'Not Found' };
const METHOD_NOT_ALLOWED = { detail: 'Method Not Allowed' };

@Controller('cats')
class CatsController {
  @Get()
  list() {
    return { cats: [] };
  }

  @Get(':id')
  read(@Param('id') id: string) {
    return { id };
  }
}

/** Creates a feature with the middleware that it configures. */
function createFeature(
  configure: (consumer: MiddlewareConsumer) => void,
  metadata: ModuleMetadata = { controllers: [CatsController] },
): new () => NestModule {
  @Module(metadata)
  class FeatureModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      configure(consumer);
    }
  }
  return FeatureModule;
}

describe('Middleware of a feature', () => {
  let calls: string[];

  beforeEach(() => {
    calls = [];
  });

  /** Functional middleware that adds the request to `calls`. */
  const record = (req: Request, res: Response, next: NextFunction) => {
    calls.push(`${req.method} ${req.originalUrl}`);
    expect(res.getHeader('X-Request-Id')).toBe(req[requestState].requestId);
    next();
  };

  class RecordMiddleware implements NestMiddleware {
    use(req: Request, res: Response, next: NextFunction): void {
      record(req, res, next);
    }
  }

  it.each<[string, (consumer: MiddlewareConsumer) => void]>([
    ['a string', (consumer) => consumer.apply(record).forRoutes('cats', 'files')],
    ['"*"', (consumer) => consumer.apply(record).forRoutes('*')],
    ['"{*splat}"', (consumer) => consumer.apply(record).forRoutes('{*splat}')],
    [
      'a path and a method',
      (consumer) =>
        consumer
          .apply(record)
          .forRoutes(
            { path: 'cats', method: RequestMethod.GET },
            { path: 'files/*path', method: RequestMethod.POST },
            { path: 'files/*path', method: RequestMethod.GET },
          ),
    ],
    [
      'a wildcard and a method',
      (consumer) => consumer.apply(record).forRoutes({ path: '*path', method: RequestMethod.GET }),
    ],
    [
      'a path and all methods',
      (consumer) =>
        consumer
          .apply(RecordMiddleware)
          .forRoutes(
            { path: '*path', method: RequestMethod.ALL },
            { path: '/', method: RequestMethod.ALL },
          ),
    ],
  ])('runs for forRoutes() with %s, and adds no routes', async (_, configure) => {
    const { app } = await createTestApp({ features: [createFeature(configure)] });
    const server = app.getHttpServer();
    await request(server).get('/cats').expect(200, { cats: [] });
    await request(server).get('/files/x').expect(404, NOT_FOUND);
    expect(calls.slice(0, 2)).toEqual(['GET /cats', 'GET /files/x']);
    await request(server).post('/files/x').expect(404, NOT_FOUND);
    await request(server).options('/files/x').expect(404, NOT_FOUND);
    await request(server)
      .post('/cats')
      .expect(405, METHOD_NOT_ALLOWED)
      .expect('Allow', 'GET, HEAD');
    await request(server).get('/docs').expect(200);
    await request(server).get('/openapi.json').expect(200);
    await request(server).get('/docs/swagger-ui.css').expect(200);
  });

  it('does not become the route of a request in the log', async () => {
    const { app, log } = await createTestApp({
      features: [
        createFeature((consumer) =>
          consumer.apply(record).forRoutes({ path: '*path', method: RequestMethod.GET }),
        ),
      ],
    });
    await request(app.getHttpServer()).get('/nope').expect(404);
    await request(app.getHttpServer()).get('/cats/1').expect(200);
    expect(getRoutes(log)).toEqual(['unmatched', '/cats/:id']);
  });
});

describe('A handler that calls next()', () => {
  @Controller('next')
  class NextController {
    @Get()
    next(@Next() next: NextFunction): void {
      next();
    }

    @All('all')
    nextOfAll(@Next() next: NextFunction): void {
      next();
    }

    @Get('last')
    nextBeforeLast(@Next() next: NextFunction): void {
      next();
    }

    @Get('*path')
    last() {
      return { last: true };
    }

    @Post('last')
    post() {
      return { posted: true };
    }
  }

  it('passes the request to later routes, and otherwise responds with 404', async () => {
    const { app } = await createTestApp({ features: [withControllers(NextController)] });
    const server = app.getHttpServer();
    await request(server).get('/next').expect(404, NOT_FOUND);
    await request(server).head('/next').expect(404);
    await request(server).post('/next').expect(405).expect('Allow', 'GET, HEAD');
    const { headers } = await request(server).post('/next/all').expect(404, NOT_FOUND);
    expect(headers).not.toHaveProperty('allow');
    await request(server).get('/next/last').expect(200, { last: true });
    await request(server).put('/next/last').expect(405).expect('Allow', 'GET, HEAD, POST');
  });
});

describe('A controller of a host', () => {
  @Controller({ path: 'host', host: ':account.example.com' })
  class HostController {
    @Get()
    read(@HostParam('account') account: string) {
      return { account };
    }

    @All('all')
    all(@HostParam('account') account: string) {
      return { account };
    }
  }

  @Controller({ path: 'host/regexp', host: ['b', /^a\.example$/] })
  class RegExpHostController {
    @Get()
    read() {
      return { read: true };
    }
  }

  it('serves its host, and responds with 404 to requests for other hosts', async () => {
    const { app } = await createTestApp({
      features: [withControllers(HostController, RegExpHostController)],
    });
    const server = app.getHttpServer();
    const host = 'rex.example.com:8000';
    await request(server).get('/host').set('Host', host).expect(200, { account: 'rex' });
    await request(server).put('/host/all').set('Host', host).expect(200, { account: 'rex' });
    await request(server).post('/host').set('Host', host).expect(405).expect('Allow', 'GET, HEAD');
    await request(server).get('/host').expect(404, NOT_FOUND);
    await request(server).put('/host/all').expect(404, NOT_FOUND);
    await request(server).post('/host').expect(404, NOT_FOUND);
    await request(server).post('/host/regexp').set('Host', 'b.example').expect(404, NOT_FOUND);
    await request(server).post('/host/regexp').set('Host', 'a.example').expect(405);
  });
});

describe('URI versioning', () => {
  @Controller({ path: 'versions', version: '1' })
  class VersionsController {
    @Get()
    list() {
      return { version: '1' };
    }

    @Get(':id')
    @Version(['2', '3'])
    read(@Param('id') id: string) {
      return { id };
    }

    @Get('neutral')
    @Version(VERSION_NEUTRAL)
    neutral() {
      return { version: 'neutral' };
    }
  }

  @Controller({ path: 'versions', version: '2' })
  class VersionsV2Controller {
    @Get()
    list() {
      return { version: '2' };
    }
  }

  const features = [withControllers(VersionsController, VersionsV2Controller, CatsController)];

  it('serves versions below /v1, /v2, …, and controllers without a version as before', async () => {
    const { app } = await createTestApp({ features });
    const server = app.getHttpServer();
    await request(server).get('/v1/versions').expect(200, { version: '1' });
    await request(server).get('/v2/versions').expect(200, { version: '2' });
    await request(server).get('/v2/versions/5').expect(200, { id: '5' });
    await request(server).get('/v3/versions/5').expect(200, { id: '5' });
    await request(server).get('/versions/neutral').expect(200, { version: 'neutral' });
    await request(server).get('/cats').expect(200, { cats: [] });
    await request(server).get('/v1/health/smoke-test').expect(200);
  });

  it('responds with 404 for other versions and 405 for other methods', async () => {
    const { app } = await createTestApp({ features });
    const server = app.getHttpServer();
    await request(server).get('/versions').expect(404, NOT_FOUND);
    await request(server).get('/v3/versions').expect(404, NOT_FOUND);
    await request(server).get('/v1/cats').expect(404, NOT_FOUND);
    await request(server).post('/v2/versions').expect(405).expect('Allow', 'GET, HEAD');
  });

  it('is part of the route in the log and in the OpenAPI document, with unique ids', async () => {
    const { app, log } = await createTestApp({ features });
    const server = app.getHttpServer();
    await request(server).get('/v3/versions/5').expect(200);
    expect(getRoutes(log)).toEqual(['/v3/versions/:id']);
    const { text } = await request(server).get('/openapi.json').expect(200);
    const { paths } = JSON.parse(text) as {
      paths: Record<string, { get?: { operationId: string } }>;
    };
    const ids = Object.entries(paths).map(([path, { get }]) => [path, get?.operationId]);
    expect(ids.filter(([path]) => path?.includes('versions'))).toEqual([
      ['/v1/versions', 'listVersions'],
      ['/v2/versions/{id}', 'readVersionsV2'],
      ['/v3/versions/{id}', 'readVersionsV3'],
      ['/versions/neutral', 'neutralVersions'],
      ['/v2/versions', 'listVersionsV2'],
    ]);
  });

  it('runs middleware for the routes of a versioned controller', async () => {
    const paths: string[] = [];
    const feature = createFeature(
      (consumer) =>
        consumer
          .apply((req: Request, _res: Response, next: NextFunction) => {
            paths.push(req.originalUrl);
            next();
          })
          .forRoutes(VersionsV2Controller),
      { controllers: [VersionsController, VersionsV2Controller] },
    );
    const { app } = await createTestApp({ features: [feature] });
    await request(app.getHttpServer()).get('/v2/versions').expect(200);
    await request(app.getHttpServer()).get('/v1/versions').expect(200);
    expect(paths).toEqual(['/v2/versions']);
  });
});

function withControllers(...controllers: NonNullable<ModuleMetadata['controllers']>) {
  @Module({ controllers })
  class FeatureModule {}
  return FeatureModule;
}

/** Returns the routes in the records of the request log. */
function getRoutes(log: LogRecord[]): unknown[] {
  return log.filter(({ context }) => context === 'RequestLog').map(({ route }) => route);
}
