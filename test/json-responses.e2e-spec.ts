import { Controller, Get, GoneException, Header, HttpCode, Module } from '@nestjs/common';
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

  @Get('versioned')
  @Header('ETag', '"2"')
  versioned() {
    return { name: 'Rex' };
  }

  @Get('dated')
  @Header('Last-Modified', 'Mon, 30 Nov 2026 10:00:00 GMT')
  @Header('Cache-Control', 'private, max-age=60')
  dated() {
    return { name: 'Rex' };
  }

  @Get('versioned-error')
  @Header('ETag', '"2"')
  versionedError() {
    throw new GoneException();
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

  describe('with the ETag or Last-Modified of its handler', () => {
    const get = (path: string, headers: Record<string, string>) =>
      request(app.getHttpServer()).get(path).set(headers);

    it('is a 304 if the client has this version', async () => {
      for (const tag of ['"2"', 'W/"2"', '"1", "2"', '*']) {
        const { headers } = await get('/versioned', { 'If-None-Match': tag }).expect(304, '');
        expect(headers).toMatchObject({ etag: '"2"', 'cache-control': 'no-store' });
        expect(headers).not.toHaveProperty('content-type');
        expect(headers).not.toHaveProperty('content-length');
      }
      const { headers } = await get('/dated', {
        'If-Modified-Since': 'Mon, 30 Nov 2026 10:00:00 GMT',
      }).expect(304, '');
      expect(headers).toMatchObject({ 'cache-control': 'private, max-age=60' });
      await request(app.getHttpServer()).head('/versioned').set('If-None-Match', '"2"').expect(304);
    });

    it('is sent if the client has another version, or none', async () => {
      const body = { name: 'Rex' };
      await get('/versioned', { 'If-None-Match': '"1"' }).expect(200, body).expect('ETag', '"2"');
      await get('/versioned', { 'If-Modified-Since': 'Mon, 30 Nov 2026 10:00:00 GMT' }).expect(
        200,
        body,
      );
      await get('/versioned', {}).expect(200, body);
      await get('/dated', { 'If-Modified-Since': 'Sun, 29 Nov 2026 10:00:00 GMT' }).expect(
        200,
        body,
      );
    });

    it('is never a 304 if it is an error', async () => {
      await get('/versioned-error', { 'If-None-Match': '"2"' }).expect(410, { detail: 'Gone' });
    });

    it('is never a 304 without these headers', async () => {
      await get('/object', { 'If-None-Match': '*' }).expect(200);
      await get('/system/healthz', { 'If-None-Match': '*' }).expect(200);
    });
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
