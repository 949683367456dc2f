import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';

const ECHO = '/api/v1/system/smoke-test';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let app: TestApp['app'];

beforeAll(async () => {
  ({ app } = await createTestApp());
});

describe('GET /', () => {
  it('returns the welcome message', async () => {
    await request(app.getHttpServer())
      .get('/')
      .expect(200, '{"message":"Welcome to the PetSage API. See /docs for documentation."}');
  });
});

describe('X-Request-Id', () => {
  it.each(['a', 'A-Z.a_z:0-9', 'x'.repeat(128)])('is kept when it is %s', async (id) => {
    await request(app.getHttpServer())
      .get('/nope')
      .set('X-Request-Id', id)
      .expect('X-Request-Id', id);
  });

  it.each(['', 'x'.repeat(129), 'a b', 'a/b', '{"a":1}', 'é'])(
    'is replaced by a UUID when it is %j',
    async (id) => {
      await request(app.getHttpServer())
        .get('/nope')
        .set('X-Request-Id', id)
        .expect('X-Request-Id', UUID);
    },
  );
});

describe('JSON keys that are names of Object.prototype', () => {
  it.each([
    ['{"ping":"p","__proto__":{"polluted":true}}', 200],
    ['{"ping":"p","constructor":{"prototype":{"polluted":true}}}', 200],
    ['{"__proto__":{"ping":"p"}}', 422],
    ['{"ping":{"__proto__":{"polluted":true}}}', 422],
    ['{"ping":"p","toString":1,"hasOwnProperty":1,"then":1,"length":-1}', 200],
    ['{"__proto__":null}', 422],
  ])('do not change the prototype: %s', async (body, status) => {
    await request(app.getHttpServer()).post(ECHO).type('json').send(body).expect(status);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
