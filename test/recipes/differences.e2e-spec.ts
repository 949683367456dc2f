import {
  All,
  Body,
  Controller,
  Get,
  Header,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  NotFoundException,
  Post,
  Res,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { IsString } from 'class-validator';
import express, { type NextFunction, type Request, type Response } from 'express';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

class CatDto {
  @IsString()
  name!: string;
}

@Controller('cats')
class CatsController {
  @Get()
  findAll() {
    return [];
  }

  @Get('cached')
  @Header('Cache-Control', 'max-age=60')
  findCached() {
    return [];
  }

  @Get('etag')
  findWithEtag(@Res() res: Response) {
    res.json([]);
  }

  @Post()
  create(@Body() cat: CatDto) {
    return cat;
  }

  @Post('parsed')
  createParsed(@Body() cat: CatDto) {
    return cat;
  }

  @Post('form')
  createFromForm(@Body() cat: CatDto) {
    return cat;
  }

  @Post('validation-pipe')
  @UsePipes(new ValidationPipe())
  createValidated(@Body() cat: CatDto) {
    return cat;
  }
}

@Controller(['dogs', 'Dogs'])
class DogsController {
  @Get()
  findAll() {
    return [];
  }

  @All()
  rejectOtherMethods() {
    throw new NotFoundException();
  }
}

/** Adds the body to a header. */
function addBodyHeader(req: Request, res: Response, next: NextFunction) {
  res.set('X-Body', JSON.stringify(req.body ?? null));
  next();
}

@Module({ controllers: [CatsController, DogsController] })
class CatsModule implements NestModule {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(addBodyHeader).forRoutes('cats');
    consumer.apply(express.urlencoded({ extended: true })).forRoutes('cats/form');
    consumer.apply(express.json(), addBodyHeader).forRoutes('cats/parsed');
  }
}

// docs/features.md lists these differences and their remedies.
describe('a difference from Nest', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    server = app.getHttpServer();
  });

  it('is that middleware runs before the body is parsed, unless it is preceded by a parser', async () => {
    const cat = { name: 'Tom' };
    await request(server).post('/cats').send(cat).expect('X-Body', 'null').expect(201, cat);
    await request(server)
      .post('/cats/parsed')
      .send(cat)
      .expect('X-Body', '{"name":"Tom"}')
      .expect(201, cat);
  });

  it('is that unknown keys are removed, unless the handler has a ValidationPipe', async () => {
    const cat = { name: 'Tom', age: 2 };
    await request(server).post('/cats').send(cat).expect(201, { name: 'Tom' });
    await request(server).post('/cats/validation-pipe').send(cat).expect(201, cat);
  });

  it('is that JSON has no ETag and is not cached, unless the handler sends it or sets the header', async () => {
    const { headers } = await request(server)
      .get('/cats')
      .expect('Cache-Control', 'no-store')
      .expect(200, []);
    expect(headers).not.toHaveProperty('etag');
    await request(server).get('/cats/cached').expect('Cache-Control', 'max-age=60').expect(200, []);
    const { headers: sent } = await request(server).get('/cats/etag').expect(200, []);
    await request(server)
      .get('/cats/etag')
      .set('If-None-Match', sent.etag ?? '')
      .expect(304, '');
  });

  it('is that paths are case-sensitive, unless the controller has several', async () => {
    await request(server).get('/Cats').expect(404, { detail: 'Not Found' });
    await request(server).get('/dogs').expect(200, []);
    await request(server).get('/Dogs').expect(200, []);
  });

  it('is that other methods are a 405, unless a handler responds to them', async () => {
    await request(server).put('/cats').expect(405, { detail: 'Method Not Allowed' });
    await request(server).put('/dogs').expect(404, { detail: 'Not Found' });
  });

  it('is that forms are not parsed, unless the route has a parser', async () => {
    await request(server)
      .post('/cats')
      .type('form')
      .send('name=Tom')
      .expect(422, {
        detail: [
          {
            type: 'model_attributes_type',
            loc: ['body'],
            msg: 'Input should be a valid dictionary or object to extract fields from',
            input: 'name=Tom',
          },
        ],
      });
    await request(server)
      .post('/cats/form')
      .type('form')
      .send('name=Tom')
      .expect(201, { name: 'Tom' });
  });
});
