import { Readable } from 'node:stream';
import {
  Body,
  Controller,
  Get,
  Header,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  NotFoundException,
  Post,
  type RawBodyRequest,
  Req,
  Res,
  StreamableFile,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { IsString } from 'class-validator';
import express, { type NextFunction, type Request, type Response } from 'express';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

class PetDto {
  @IsString()
  name!: string;
}

@Controller('pets')
class PetsController {
  @Get()
  list() {
    return { pets: [] };
  }

  @Get('absent')
  readAbsent(): never {
    throw new NotFoundException('No such pet');
  }

  @Get('photo')
  readPhoto() {
    return new StreamableFile(
      new Readable({
        read() {
          this.destroy(new Error('The disk is gone'));
        },
      }),
    );
  }

  @Get('cacheable')
  @Header('Cache-Control', 'max-age=60')
  readCacheable() {
    return { pets: [] };
  }

  @Get('etag')
  readWithEtag(@Res() response: Response): void {
    response.json({ pets: [] });
  }

  @Get('page')
  @Header('Content-Security-Policy', "default-src 'self'")
  readPage() {
    return '<p>Pets</p>';
  }

  @Get('replaced')
  readReplaced() {
    return { pets: [] };
  }

  @Post()
  create(@Body() pet: PetDto) {
    return pet;
  }

  @Post('any')
  createAny(@Body() body: unknown) {
    return { body: body ?? null };
  }

  @Post('form')
  createFromForm(@Body() body: unknown) {
    return { body };
  }

  @Post('in-middleware')
  showMiddleware(@Req() req: RawBodyRequest<Request> & { seen?: unknown }) {
    return { middleware: req.seen ?? null, handler: req.body as unknown };
  }

  @Post('parsed-in-middleware')
  showParsed(@Req() req: Request & { seen?: unknown }) {
    return { middleware: req.seen ?? null };
  }
}

@Module({ controllers: [PetsController] })
class PetsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const look = (req: Request & { seen?: unknown }, _res: Response, next: NextFunction) => {
      req.seen = req.body;
      next();
    };
    consumer.apply(express.urlencoded({ extended: true })).forRoutes('pets/form');
    const replaceJson = (_req: Request, res: Response, next: NextFunction) => {
      const json = res.json.bind(res);
      res.json = () => json({ isReplaced: true });
      next();
    };
    consumer.apply(look).forRoutes('pets/in-middleware');
    consumer.apply(replaceJson).forRoutes('pets/replaced', 'pets/etag');
    consumer.apply(express.json(), look).forRoutes('pets/parsed-in-middleware');
  }
}

type Server = Parameters<typeof request>[0];
type Send = (server: Server) => request.Test;

const get =
  (path: string): Send =>
  (server) =>
    request(server).get(path);
const post =
  (path: string, body: string, type = 'application/json'): Send =>
  (server) =>
    request(server).post(path).set('Content-Type', type).send(body);

/** The status, and the body or the value of a header. */
type Outcome = [status: number, bodyOrHeader: unknown];

describe('differences from Nest', () => {
  let nest: NestExpressApplication;
  let service: NestExpressApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [PetsModule] }).compile();
    nest = module.createNestApplication<NestExpressApplication>({ logger: false });
    await nest.init();
    ({ app: service } = await createTestApp({ features: [PetsModule] }));
  });

  afterAll(async () => {
    await nest.close();
  });

  it.each<[title: string, send: Send, nest: Outcome, service: Outcome]>([
    [
      'the format of an HttpException',
      get('/pets/absent'),
      [404, { message: 'No such pet', error: 'Not Found', statusCode: 404 }],
      [404, { detail: 'No such pet' }],
    ],
    [
      'an unknown path',
      get('/nope'),
      [404, { message: 'Cannot GET /nope', error: 'Not Found', statusCode: 404 }],
      [404, { detail: 'Not Found' }],
    ],
    [
      'another method of a known path',
      (server) => request(server).delete('/pets'),
      [404, { message: 'Cannot DELETE /pets', error: 'Not Found', statusCode: 404 }],
      [405, { detail: 'Method Not Allowed' }],
    ],
    ['the case of a path', get('/PETS'), [200, { pets: [] }], [404, { detail: 'Not Found' }]],
    [
      'a class with rules, without a ValidationPipe',
      post('/pets', '{"name":5}'),
      [201, { name: 5 }],
      [
        422,
        {
          detail: [
            {
              type: 'string_type',
              loc: ['body', 'name'],
              msg: 'Input should be a valid string',
              input: 5,
            },
          ],
        },
      ],
    ],
    [
      'keys that the DTO does not declare',
      post('/pets', '{"name":"Rex","age":3}'),
      [201, { name: 'Rex', age: 3 }],
      [201, { name: 'Rex' }],
    ],
    ['an empty JSON body', post('/pets/any', ''), [201, { body: {} }], [201, { body: null }]],
    [
      'JSON that is not an object',
      post('/pets/any', '5'),
      [
        400,
        {
          message: expect.any(String) as unknown,
          error: 'Bad Request',
          statusCode: 400,
        },
      ],
      [201, { body: 5 }],
    ],
    [
      'a broken body that is sent to an unknown path',
      post('/nope', '{'),
      [
        400,
        {
          message: expect.any(String) as unknown,
          error: 'Bad Request',
          statusCode: 400,
        },
      ],
      [404, { detail: 'Not Found' }],
    ],
    [
      'a form',
      post('/pets/any', 'name=Rex', 'application/x-www-form-urlencoded'),
      [201, { body: { name: 'Rex' } }],
      [201, { body: null }],
    ],
    [
      'a form, with the middleware of Express',
      post('/pets/form', 'name=Rex', 'application/x-www-form-urlencoded'),
      [201, { body: { name: 'Rex' } }],
      [201, { body: { name: 'Rex' } }],
    ],
    [
      'req.body in middleware',
      post('/pets/in-middleware', '{"a":1}'),
      [201, { middleware: { a: 1 }, handler: { a: 1 } }],
      [201, { middleware: null, handler: { a: 1 } }],
    ],
    [
      'req.body in middleware after express.json()',
      post('/pets/parsed-in-middleware', '{"a":1}'),
      [201, { middleware: { a: 1 } }],
      [201, { middleware: { a: 1 } }],
    ],
    [
      'an object, after middleware that replaces res.json()',
      get('/pets/replaced'),
      [200, { isReplaced: true }],
      [200, { pets: [] }],
    ],
    [
      'res.json(), after middleware that replaces it',
      get('/pets/etag'),
      [200, { isReplaced: true }],
      [200, { isReplaced: true }],
    ],
  ])('%s', async (_, send, ofNest, ofService) => {
    const responses = [await send(nest.getHttpServer()), await send(service.getHttpServer())];
    expect(responses.map(({ status, body }) => [status, body as unknown])).toEqual([
      ofNest,
      ofService,
    ]);
  });

  it.each<[title: string, send: Send, header: string, nest: Outcome, service: Outcome]>([
    [
      'the ETag of an object',
      get('/pets'),
      'etag',
      [200, expect.stringMatching(/^W/)],
      [200, undefined],
    ],
    [
      'the ETag of res.json()',
      get('/pets/etag'),
      'etag',
      [200, expect.stringMatching(/^W/)],
      [200, expect.stringMatching(/^W/)],
    ],
    [
      'Cache-Control of an object',
      get('/pets'),
      'cache-control',
      [200, undefined],
      [200, 'no-store'],
    ],
    [
      'Cache-Control of the handler',
      get('/pets/cacheable'),
      'cache-control',
      [200, 'max-age=60'],
      [200, 'max-age=60'],
    ],
    [
      'Content-Type of an object',
      get('/pets'),
      'content-type',
      [200, 'application/json; charset=utf-8'],
      [200, 'application/json'],
    ],
    [
      'Content-Type of a file that cannot be read',
      get('/pets/photo'),
      'content-type',
      [400, 'text/plain; charset=utf-8'],
      [500, 'application/json'],
    ],
    ['X-Powered-By', get('/pets'), 'x-powered-by', [200, 'Express'], [200, undefined]],
    [
      'security headers',
      get('/pets'),
      'content-security-policy',
      [200, undefined],
      [200, "default-src 'none';frame-ancestors 'none'"],
    ],
    [
      'security headers of the handler',
      get('/pets/page'),
      'content-security-policy',
      [200, "default-src 'self'"],
      [200, "default-src 'self'"],
    ],
  ])('%s', async (_, send, header, ofNest, ofService) => {
    const responses = [await send(nest.getHttpServer()), await send(service.getHttpServer())];
    expect(
      responses.map(({ status, headers }) => [
        status,
        (headers as Record<string, unknown>)[header],
      ]),
    ).toEqual([ofNest, ofService]);
  });
});
