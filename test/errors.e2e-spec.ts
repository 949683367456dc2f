import {
  BadGatewayException,
  BadRequestException,
  ConflictException,
  Controller,
  GatewayTimeoutException,
  Get,
  Header,
  HttpException,
  ImATeapotException,
  InternalServerErrorException,
  type MiddlewareConsumer,
  MisdirectedException,
  Module,
  type NestModule,
  NotFoundException,
  Param,
  ParseArrayPipe,
  ParseIntPipe,
  Query,
  Res,
  UnprocessableEntityException,
} from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import express, { type NextFunction, type Request, type Response } from 'express';
import { throwError } from 'rxjs';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import type { LogRecord } from './fixtures/log-records.js';
import { waitFor } from './fixtures/wait-for.js';

/** Creates what the handlers throw. */
let createThrown: () => unknown;

function throwCreated(): never {
  throw createThrown();
}

@Controller()
class ThrowingController {
  @Get('thrown')
  throw() {
    throwCreated();
  }

  @Get('file-headers')
  @Header('Content-Type', 'text/csv')
  @Header('Content-Disposition', 'attachment; filename="pets.csv"')
  @Header('Content-Encoding', 'gzip')
  @Header('Content-Length', '3')
  @Header('Cache-Control', 'public')
  @Header('X-Own', 'yes')
  throwWithHeaders() {
    throw new ConflictException('No rows');
  }

  @Get('observable')
  observable() {
    return throwError(() => createThrown());
  }

  @Get('sent')
  sendAndThrow(@Res() response: Response) {
    response.json({ sent: true });
    throwCreated();
  }

  @Get('begun')
  beginAndThrow(@Res() response: Response) {
    response.write('begun');
    throwCreated();
  }

  @Get('int/:id')
  parseInt(@Param('id', ParseIntPipe) id: number) {
    return { id };
  }

  @Get('list')
  parseList(@Query('ids', new ParseArrayPipe({ items: Number })) ids: number[]) {
    return { ids };
  }

  @Get('middleware')
  afterMiddleware() {
    return {};
  }
}

@Controller('health')
class HealthController {
  constructor(private readonly health: HealthCheckService) {}

  @Get()
  check() {
    return this.health.check([() => ({ database: { status: 'down', reason: 'ECONNREFUSED' } })]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [ThrowingController, HealthController],
})
class ThrowingModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(throwCreated).forRoutes('middleware');
  }
}

let app: TestApp['app'];
let log: LogRecord[];

beforeAll(async () => {
  ({ app, log } = await createTestApp({
    features: [ThrowingModule],
    prepare: (app) => {
      app.use('/parsed', express.json({ limit: 100 }));
      app.use('/express', () => throwCreated());
      app.use('/next', (_req: Request, _res: Response, next: NextFunction) => {
        next(createThrown());
      });
      app.use('/missing', (_req: Request, res: Response) => {
        res.sendFile('/nope/secret.txt');
      });
      app.use('/range', (_req: Request, res: Response) => {
        res.sendFile(import.meta.filename);
      });
    },
  }));
});

beforeEach(() => {
  log.length = 0;
});

function get(path: string) {
  return request(app.getHttpServer()).get(path);
}

/** Waits for the record of the request, and returns the records of the error filter. */
async function findErrors(): Promise<LogRecord[]> {
  await waitFor(() => log.some(({ context }) => context === 'RequestLog'));
  return log.filter(({ context }) => context === 'ErrorFilter');
}

/** Creates an error as the package `http-errors` does. */
function createHttpError(status: number, message: string, properties?: object): Error {
  const expose = status < 500;
  return Object.assign(new Error(message), { status, statusCode: status, expose, ...properties });
}

describe('HttpException', () => {
  const cause = new Error('secret');

  it.each<[title: string, create: () => unknown, status: number, body: unknown]>([
    ['nothing', () => new BadRequestException(), 400, { detail: 'Bad Request' }],
    [
      'undefined and a cause',
      () => new BadRequestException(undefined, { cause }),
      400,
      { detail: 'Bad Request' },
    ],
    ['an empty string', () => new BadRequestException(''), 400, { detail: 'Bad Request' }],
    ['a string', () => new BadRequestException('No'), 400, { detail: 'No' }],
    ['a string and a cause', () => new BadRequestException('No', { cause }), 400, { detail: 'No' }],
    [
      'a string and a description',
      () => new BadRequestException('No', 'Wrong pet'),
      400,
      { detail: { message: 'No', error: 'Wrong pet' } },
    ],
    [
      'a string and a description in options',
      () => new BadRequestException('No', { cause, description: 'Wrong pet' }),
      400,
      { detail: { message: 'No', error: 'Wrong pet' } },
    ],
    [
      'a string and the status text in another case',
      () => new ImATeapotException('No', "I'm a TEAPOT"),
      418,
      { detail: 'No' },
    ],
    ['the text of 421', () => new MisdirectedException('No'), 421, { detail: 'No' }],
    [
      'a string and an error code',
      () => new BadRequestException('No', { errorCode: 'E1' }),
      400,
      { detail: { message: 'No', errorCode: 'E1' } },
    ],
    ['a list', () => new BadRequestException(['a', 'b']), 400, { detail: ['a', 'b'] }],
    ['an empty list', () => new BadRequestException([]), 400, { detail: [] }],
    ['a number', () => new BadRequestException(5), 400, { detail: { message: 5 } }],
    ['an object', () => new BadRequestException({ a: 1 }), 400, { detail: { a: 1 } }],
    ['an empty object', () => new BadRequestException({}), 400, { detail: {} }],
    [
      'an object with a message',
      () => new BadRequestException({ message: 'No', pet: 7 }),
      400,
      { detail: { message: 'No', pet: 7 } },
    ],
    [
      "an object in Nest's format",
      () => new BadRequestException({ statusCode: 400, message: ['a'], error: 'Bad Request' }),
      400,
      { detail: ['a'] },
    ],
    [
      "an object in Nest's format with another status and error",
      () => new BadRequestException({ statusCode: 4711, message: 'a', error: 'Not Found' }),
      400,
      { detail: { statusCode: 4711, message: 'a', error: 'Not Found' } },
    ],
    [
      'an object without a message',
      () => new BadRequestException({ statusCode: 400, error: 'Bad Request' }),
      400,
      { detail: 'Bad Request' },
    ],
    [
      'an object whose message is an object',
      () => new BadRequestException({ statusCode: 400, message: { a: 1 } }),
      400,
      { detail: { message: { a: 1 } } },
    ],
    [
      "an object in FastAPI's format",
      () => new UnprocessableEntityException({ detail: [{ type: 'missing' }], more: 1 }),
      422,
      { detail: [{ type: 'missing' }], more: 1 },
    ],
    [
      'an object with toJSON()',
      () => new BadRequestException(new Date(0)),
      400,
      { detail: '1970-01-01T00:00:00.000Z' },
    ],
    ['an error', () => new BadRequestException(cause), 400, { detail: 'Bad Request' }],
    ['a status and a string', () => new HttpException('No', 499), 499, { detail: 'No' }],
    ['a status and an empty string', () => new HttpException('', 400), 400, { detail: '' }],
    ['a status and a list', () => new HttpException(['a'], 400), 400, { detail: ['a'] }],
    [
      'a status, a string and an error code',
      () => new HttpException('No', 400, { errorCode: 'E1' }),
      400,
      { detail: { message: 'No', errorCode: 'E1' } },
    ],
    [
      'an own message and status 500',
      () => new InternalServerErrorException('No'),
      500,
      { detail: 'No' },
    ],
    [
      'an invalid status',
      () => new HttpException('secret', undefined as unknown as number),
      500,
      { detail: 'Internal Server Error' },
    ],
  ])('responds with what its author passed: %s', async (_, create, status, body) => {
    createThrown = create;
    await get('/thrown')
      .expect(status, JSON.stringify(body))
      .expect('Content-Type', 'application/json')
      .expect('Cache-Control', 'no-store');
    const errors = await findErrors();
    expect(errors).toHaveLength(status < 500 ? 0 : 1);
  });

  it('responds to a body that JSON cannot represent with 500', async () => {
    createThrown = () => new BadRequestException({ count: 5n });
    for (const path of ['/thrown', '/express']) {
      log.length = 0;
      await get(path).expect(500, { detail: 'Internal Server Error' });
      expect(await findErrors()).toMatchObject([{ err: { type: 'TypeError' } }]);
    }
  });

  it('keeps the messages of ParseIntPipe and ParseArrayPipe', async () => {
    await get('/int/x').expect(400, {
      detail: 'Validation failed (numeric string is expected)',
    });
    await get('/list').expect(400, { detail: 'Validation failed (parsable array expected)' });
    await get('/list?ids=1,b').expect(400, { detail: '[1] item must be a number' });
  });

  it('keeps the result of a failed health check of Terminus', async () => {
    const database = { status: 'down', reason: 'ECONNREFUSED' };
    await get('/health').expect(503, {
      detail: { status: 'error', info: {}, error: { database }, details: { database } },
    });
    expect(await findErrors()).toMatchObject([
      { level: 'error', err: { type: 'ServiceUnavailableException' } },
    ]);
  });

  it("is sent without the headers of the handler's own body", async () => {
    const { headers } = await get('/file-headers')
      .expect(409, '{"detail":"No rows"}')
      .expect('Content-Type', 'application/json')
      .expect('Content-Length', '20')
      .expect('Cache-Control', 'no-store')
      .expect('X-Own', 'yes');
    expect(headers).not.toHaveProperty('content-disposition');
    expect(headers).not.toHaveProperty('content-encoding');
  });
});

describe('an error of http-errors', () => {
  it.each([
    [
      '403',
      createHttpError(403, 'invalid csrf token', { code: 'EBADCSRFTOKEN' }),
      403,
      'invalid csrf token',
    ],
    ['a status alone', Object.assign(new Error('No'), { status: 409, expose: true }), 409, 'No'],
    [
      'a status code alone',
      Object.assign(new Error('No'), { statusCode: 409, expose: true }),
      409,
      'No',
    ],
    [
      'a message that must not be exposed',
      createHttpError(404, 'secret', { expose: false }),
      404,
      'Not Found',
    ],
  ])('is sent: %s', async (_, error, status, detail) => {
    createThrown = () => error;
    for (const path of ['/thrown', '/middleware', '/express', '/next']) {
      await get(path).expect(status, JSON.stringify({ detail }));
    }
    expect(await findErrors()).toEqual([]);
  });

  it.each([
    ['status 503', createHttpError(503, 'secret'), 503, 'Service Unavailable'],
    ['status 500', createHttpError(500, 'secret'), 500, 'Internal Server Error'],
    [
      'no expose',
      Object.assign(new Error('secret'), { status: 404 }),
      500,
      'Internal Server Error',
    ],
    ['status 200', createHttpError(200, 'secret'), 500, 'Internal Server Error'],
    ['status 4e9', createHttpError(4e9, 'secret'), 500, 'Internal Server Error'],
  ])('is logged and not sent: %s', async (_, error, status, detail) => {
    createThrown = () => error;
    await get('/thrown').expect(status, JSON.stringify({ detail }));
    expect(await findErrors()).toMatchObject([{ level: 'error', err: { message: 'secret' } }]);
  });

  it('is sent with its headers', async () => {
    createThrown = () => createHttpError(405, 'No', { headers: { Allow: 'GET' } });
    await get('/thrown').expect(405, { detail: 'No' }).expect('Allow', 'GET');
    await get('/range')
      .set('Range', 'bytes=9999999-')
      .expect(416, { detail: 'Range Not Satisfiable' })
      .expect('Content-Range', /^bytes \*\/\d+$/)
      .expect('Content-Type', 'application/json');
  });

  it("is sent for Express's own body parser and for a missing file", async () => {
    await request(app.getHttpServer())
      .post('/parsed')
      .type('json')
      .send(`{"a":"${'a'.repeat(100)}"}`)
      .expect(413, { detail: 'request entity too large' });
    await get('/missing').expect(404, { detail: 'Not Found' });
    expect(await findErrors()).toEqual([]);
  });
});

describe('a 5xx', () => {
  const cause = new Error('connect ECONNREFUSED');

  it.each([
    ['a cause', () => new BadGatewayException('Upstream failed', { cause }), 502],
    ['an error instead of a message', () => new BadGatewayException(cause), 502],
    ['a cause and status 500', () => new InternalServerErrorException('Failed', { cause }), 500],
  ])('is logged once, with the stack of its cause: %s', async (_, create, status) => {
    createThrown = create;
    const { headers, text } = await get('/thrown').expect(status);
    expect(text).not.toContain(cause.message);
    const errors = await findErrors();
    expect(errors).toEqual([
      expect.objectContaining({
        level: 'error',
        requestId: headers['x-request-id'],
        err: {
          type: expect.stringMatching(/Exception$/) as string,
          message: expect.stringContaining(cause.message) as string,
          stack: expect.stringContaining(`caused by: ${cause.stack}`) as string,
        },
      }),
    ]);
  });

  it('is logged without a cause', async () => {
    createThrown = () => new GatewayTimeoutException('The upstream is slow');
    await get('/thrown').expect(504, { detail: 'The upstream is slow' });
    expect(await findErrors()).toMatchObject([
      {
        level: 'error',
        msg: 'The upstream is slow',
        err: {
          type: 'GatewayTimeoutException',
          stack: expect.stringContaining('\n    at ') as string,
        },
      },
    ]);
  });
});

describe('anything that is thrown', () => {
  it.each<[title: string, thrown: unknown]>([
    ['a string', 'x'],
    ['null', null],
    ['undefined', undefined],
    ['a symbol', Symbol('x')],
    ['an object', { statusCode: 404, message: 'secret' }],
    ['an object without a prototype', Object.create(null)],
    ['an error', new Error('secret')],
  ])('is a 500: %s', async (_, thrown) => {
    createThrown = () => thrown;
    // For Express, undefined and null are no errors.
    const paths = thrown ? ['/express', '/next'] : [];
    for (const path of ['/thrown', '/observable', '/middleware', ...paths]) {
      log.length = 0;
      await get(path).expect(500, { detail: 'Internal Server Error' });
      expect(await findErrors()).toMatchObject([{ level: 'error' }]);
    }
  });

  it('does not change a response that was sent', async () => {
    createThrown = () => new NotFoundException();
    await get('/sent').expect(200, { sent: true });
    expect(await findErrors()).toEqual([]);
    log.length = 0;
    createThrown = () => new Error('thrown');
    await get('/sent').expect(200, { sent: true });
    expect(await findErrors()).toMatchObject([{ err: { message: 'thrown' } }]);
  });

  it('is logged if it interrupts a response, whatever its status', async () => {
    createThrown = () => new NotFoundException('No pet');
    await expect(get('/begun')).rejects.toThrow('aborted');
    expect(await findErrors()).toMatchObject([{ level: 'error', err: { message: 'No pet' } }]);
    expect(log).toMatchObject([
      {},
      { level: 'error', msg: 'Request failed after the response had started' },
    ]);
  });
});
