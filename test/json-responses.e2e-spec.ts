import { Controller, Get, Header, HttpCode, Module } from '@nestjs/common';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';

@Controller()
class JsonController {
  @Get('object')
  object() {
    return { text: '<b>&', secret: 'hunter2' };
  }

  @Get('nothing')
  nothing() {
    return { toJSON: () => undefined };
  }

  @Get('big-int')
  bigInt() {
    return { count: 5n };
  }

  @Get('circular')
  circular() {
    const pet: Record<string, unknown> = {};
    pet.pet = pet;
    return pet;
  }

  @Get('buffer')
  buffer() {
    return Buffer.from('a');
  }

  @Get('labeled')
  @Header('Content-Type', 'text/csv')
  labeled() {
    return { a: 1 };
  }

  @Get('labeled-error')
  @Header('Content-Type', 'text/csv')
  labeledError() {
    return { statusCode: 404 };
  }

  @Get('problem')
  @Header('Content-Type', 'application/problem+json; charset=utf-8')
  @HttpCode(404)
  problem() {
    return { title: 'No pet' };
  }
}

@Module({ controllers: [JsonController] })
class JsonModule {}

describe('a JSON response', () => {
  let app: TestApp['app'];
  let log: TestApp['log'];

  beforeAll(async () => {
    ({ app, log } = await createTestApp({ features: [JsonModule] }));
  });

  it('is empty, as with Express, if toJSON() returns undefined', async () => {
    await request(app.getHttpServer())
      .get('/nothing')
      .expect(200, '')
      .expect('Content-Type', 'application/json')
      .expect('Content-Length', '0')
      .expect('Cache-Control', 'no-store');
  });

  it.each(['/big-int', '/circular'])('is a 500 if JSON cannot represent it: %s', async (path) => {
    log.length = 0;
    await request(app.getHttpServer()).get(path).expect(500, { detail: 'Internal Server Error' });
    expect(log[0]).toMatchObject({ context: 'ErrorFilter', err: { type: 'TypeError' } });
  });

  it('contains the bytes of a buffer, as with Express', async () => {
    await request(app.getHttpServer()).get('/buffer').expect(200, '{"type":"Buffer","data":[97]}');
  });

  it.each([
    ['/labeled', 200, '{"a":1}', 'text/csv; charset=utf-8'],
    ['/labeled-error', 200, '{"statusCode":404}', 'application/json'],
    ['/problem', 404, '{"title":"No pet"}', 'application/problem+json; charset=utf-8'],
  ])('keeps its content type unless it is an error: %s', async (path, status, body, type) => {
    await request(app.getHttpServer()).get(path).expect(status, body).expect('Content-Type', type);
  });
});

describe("Express's settings of JSON", () => {
  it('apply to responses', async () => {
    const { app } = await createTestApp({
      features: [JsonModule],
      prepare: (app) => {
        app.set('json escape', true);
        app.set('json spaces', 1);
        app.set('json replacer', (name: string, value: unknown) =>
          name === 'secret' ? undefined : value,
        );
      },
    });
    await request(app.getHttpServer())
      .get('/object')
      .expect(200, '{\n "text": "\\u003cb\\u003e\\u0026"\n}')
      .expect('Content-Type', 'application/json')
      .expect('Content-Length', '34');
    await request(app.getHttpServer()).get('/nothing').expect(200, '');
    await request(app.getHttpServer()).get('/nope').expect(404, '{\n "detail": "Not Found"\n}');
  });
});
