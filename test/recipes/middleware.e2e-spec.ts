import {
  Controller,
  Get,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type NestMiddleware,
  type NestModule,
  Param,
  Post,
  RequestMethod,
} from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

@Injectable()
class CallsService {
  readonly calls: string[] = [];
}

@Injectable()
class LoggerMiddleware implements NestMiddleware {
  constructor(private readonly callsService: CallsService) {}

  use(req: Request, res: Response, next: NextFunction) {
    this.callsService.calls.push(`${req.method} ${req.originalUrl}`);
    next();
  }
}

function addHeader(req: Request, res: Response, next: NextFunction) {
  res.append('X-Middleware', 'header');
  next();
}

function authenticate(req: Request, res: Response, next: NextFunction) {
  res.append('X-Middleware', 'authenticate');
  if (req.get('Authorization') === undefined) res.status(401).json({ detail: 'No token' });
  else next();
}

@Controller('cats')
class CatsController {
  constructor(private readonly callsService: CallsService) {}

  @Get()
  findAll() {
    return this.callsService.calls;
  }

  @Post()
  create() {
    return this.callsService.calls;
  }

  @Get('abcd/*splat')
  findWildcard() {
    return this.callsService.calls;
  }

  @Get('abcd')
  findAbcd() {
    return this.callsService.calls;
  }

  @Get(':id')
  findOne(@Param('id') id: string) {
    return this.callsService.calls;
  }
}

/** Starts an application whose middleware is configured as in an example of the chapter. */
async function serve(configure: (consumer: MiddlewareConsumer) => void) {
  @Module({ controllers: [CatsController], providers: [CallsService] })
  class CatsModule implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      configure(consumer);
    }
  }

  const { app } = await createTestApp({ features: [CatsModule] });
  return app.getHttpServer();
}

describe('the chapter "Middleware"', () => {
  it('injects dependencies into a class, and limits it to a path and a method', async () => {
    const server = await serve((consumer) => {
      consumer.apply(LoggerMiddleware).forRoutes({ path: 'cats', method: RequestMethod.GET });
    });
    await request(server).get('/cats?a=1').expect(200, ['GET /cats?a=1']);
    await request(server).post('/cats').expect(201, ['GET /cats?a=1']);
    await request(server).get('/cats/1').expect(200, ['GET /cats?a=1']);
  });

  it('limits middleware to a path', async () => {
    const server = await serve((consumer) => {
      consumer.apply(LoggerMiddleware).forRoutes('cats');
    });
    await request(server).get('/cats').expect(200, ['GET /cats']);
    await request(server).post('/cats').expect(201, ['GET /cats', 'POST /cats']);
  });

  it('requires characters for a wildcard, unless it is in braces', async () => {
    let server = await serve((consumer) => {
      consumer
        .apply(LoggerMiddleware)
        .forRoutes({ path: 'cats/abcd/*splat', method: RequestMethod.ALL });
    });
    await request(server).get('/cats/abcd/').expect(200, []);
    await request(server).get('/cats/abcd/1').expect(200, ['GET /cats/abcd/1']);
    server = await serve((consumer) => {
      consumer
        .apply(LoggerMiddleware)
        .forRoutes({ path: 'cats/abcd/{*splat}', method: RequestMethod.ALL });
    });
    await request(server).get('/cats/abcd/').expect(200, ['GET /cats/abcd/']);
    await request(server).get('/cats/abcd/1').expect(200, ['GET /cats/abcd/', 'GET /cats/abcd/1']);
  });

  it('excludes routes of a controller', async () => {
    const server = await serve((consumer) => {
      consumer
        .apply(LoggerMiddleware)
        .exclude({ path: 'cats', method: RequestMethod.GET }, 'cats/abcd/{*splat}')
        .forRoutes(CatsController);
    });
    await request(server).get('/cats').expect(200, []);
    await request(server).get('/cats/abcd/1').expect(200, []);
    await request(server).get('/cats/1').expect(200, ['GET /cats/1']);
    await request(server).post('/cats').expect(201, ['GET /cats/1', 'POST /cats']);
  });

  it('runs several functions in their order, until one responds', async () => {
    const server = await serve((consumer) => {
      consumer.apply(addHeader, authenticate, LoggerMiddleware).forRoutes(CatsController);
    });
    await request(server)
      .get('/cats')
      .expect('X-Middleware', 'header, authenticate')
      .expect(401, { detail: 'No token' });
    await request(server)
      .get('/cats')
      .set('Authorization', 'Bearer a')
      .expect('X-Middleware', 'header, authenticate')
      .expect(200, ['GET /cats']);
  });

  it('runs global middleware for every request, before the middleware of modules', async () => {
    @Module({ controllers: [CatsController], providers: [CallsService] })
    class CatsModule implements NestModule {
      configure(consumer: MiddlewareConsumer) {
        consumer.apply(addHeader).forRoutes(CatsController);
      }
    }

    const { app } = await createTestApp({
      features: [CatsModule],
      prepare: (app) => {
        app.use((req: Request, res: Response, next: NextFunction) => {
          res.append('X-Middleware', 'global');
          next();
        });
      },
    });
    const server = app.getHttpServer();
    await request(server).get('/cats').expect('X-Middleware', 'global, header').expect(200, []);
    await request(server).get('/system/healthz').expect('X-Middleware', 'global').expect(200);
  });
});
