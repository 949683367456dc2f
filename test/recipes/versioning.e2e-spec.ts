import {
  Controller,
  Get,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  RequestMethod,
  VERSION_NEUTRAL,
  Version,
  type VersioningOptions,
  VersioningType,
} from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

@Controller()
class CatsController {
  @Version('1')
  @Get('cats')
  findAllV1(): string {
    return 'This action returns all cats for version 1';
  }

  @Version('2')
  @Get('cats')
  findAllV2(): string {
    return 'This action returns all cats for version 2';
  }
}

@Controller({ version: ['1', '2'] })
class DogsController {
  @Get('dogs')
  findAll(): string {
    return 'This action returns all dogs for version 1 or 2';
  }
}

@Controller({ version: VERSION_NEUTRAL })
class BirdsController {
  @Get('birds')
  findAll(): string {
    return 'This action returns all birds regardless of version';
  }
}

@Module({ controllers: [CatsController, DogsController, BirdsController] })
class VersionsModule {}

@Module({ controllers: [CatsController, DogsController] })
class AnimalsModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer
      .apply((req: Request, res: Response, next: NextFunction) => {
        res.set('X-Version', '2');
        next();
      })
      .forRoutes({ path: 'cats', method: RequestMethod.GET, version: '2' });
  }
}

describe('the chapter "Versioning"', () => {
  it('serves versions of handlers, and several versions of a controller', async () => {
    const { app } = await createTestApp({ features: [AnimalsModule] });
    const server = app.getHttpServer();
    for (const version of ['1', '2']) {
      await request(server)
        .get(`/v${version}/cats`)
        .expect(200, `This action returns all cats for version ${version}`);
      await request(server)
        .get(`/v${version}/dogs`)
        .expect(200, 'This action returns all dogs for version 1 or 2');
    }
    await request(server).get('/cats').expect(404, { detail: 'Not Found' });
  });

  it('runs middleware for a version', async () => {
    const { app } = await createTestApp({ features: [AnimalsModule] });
    const server = app.getHttpServer();
    await request(server).get('/v2/cats').expect('X-Version', '2').expect(200);
    const { headers } = await request(server).get('/v1/cats').expect(200);
    expect(headers).not.toHaveProperty('x-version');
  });

  it.each<[string, VersioningOptions, (version: string) => [string, string]]>([
    [
      'a header',
      { type: VersioningType.HEADER, header: 'Custom-Header' },
      (version) => ['Custom-Header', version],
    ],
    [
      'the media type',
      { type: VersioningType.MEDIA_TYPE, key: 'v=' },
      (version) => ['Accept', `application/json;v=${version}`],
    ],
    [
      'an extractor',
      {
        type: VersioningType.CUSTOM,
        extractor: (request) => (request as Request).get('Custom-Versioning-Field') ?? '',
      },
      (version) => ['Custom-Versioning-Field', version],
    ],
  ])('selects the version by %s', async (_, options, createHeader) => {
    const { app } = await createTestApp({
      features: [VersionsModule],
      prepare: (app) => {
        app.enableVersioning(options);
      },
    });
    const server = app.getHttpServer();
    for (const version of ['1', '2']) {
      await request(server)
        .get('/cats')
        .set(...createHeader(version))
        .expect(200, `This action returns all cats for version ${version}`);
      await request(server)
        .get('/dogs')
        .set(...createHeader(version))
        .expect(200, 'This action returns all dogs for version 1 or 2');
      await request(server)
        .get('/birds')
        .set(...createHeader(version))
        .expect(200, 'This action returns all birds regardless of version');
    }
    await request(server)
      .get('/cats')
      .set(...createHeader('3'))
      .expect(404, { detail: 'Not Found' });
    await request(server).get('/birds').expect(200);
    await request(server).get('/system/healthz').expect(200);
    await request(server).get('/v1/health/smoke-test').expect(200);
  });
});
