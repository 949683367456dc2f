import { jest } from '@jest/globals';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';

const ECHO = '/api/v1/system/smoke-test';
const ORIGIN = 'https://app.petsage.io';
const PREFLIGHT = {
  'Access-Control-Request-Method': 'POST',
  'Access-Control-Request-Headers': 'content-type,x-request-id',
};

describe('CORS_ORIGINS=https://app.petsage.io,http://localhost:3000', () => {
  let app: TestApp['app'];

  beforeAll(async () => {
    ({ app } = await createTestApp({
      settings: { CORS_ORIGINS: `${ORIGIN},http://localhost:3000` },
    }));
  });

  it.each([ORIGIN, 'http://localhost:3000'])('allows a preflight from %s', async (origin) => {
    const { headers } = await request(app.getHttpServer())
      .options(ECHO)
      .set({ Origin: origin, ...PREFLIGHT })
      .expect(204, '');
    expect(headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET,HEAD,PUT,PATCH,POST,DELETE',
      'access-control-allow-headers': 'content-type,x-request-id',
      'access-control-max-age': '600',
      'x-request-id': expect.any(String) as string,
      vary: 'Origin, Access-Control-Request-Headers',
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it.each([
    ['a success', '/system/healthz'],
    ['a 404', '/nope'],
    ['a 405', ECHO],
  ])('lets an allowed origin read %s and its request id', async (_, path) => {
    await request(app.getHttpServer())
      .get(path)
      .set('Origin', ORIGIN)
      .expect('Access-Control-Allow-Origin', ORIGIN)
      .expect(
        'Access-Control-Expose-Headers',
        'Allow,ETag,Link,Location,Retry-After,WWW-Authenticate,X-Request-Id',
      )
      .expect('Vary', 'Origin');
  });

  it.each([
    ['a preflight from another origin', 'options', 'https://evil.example'],
    ['a request from another origin', 'get', 'https://evil.example'],
    ['a request from the origin null', 'get', 'null'],
  ] as const)('sends no Access-Control-Allow-Origin to %s', async (_, method, origin) => {
    const { headers } = await request(app.getHttpServer())
      [method]('/system/healthz')
      .set({ Origin: origin, ...(method === 'options' && PREFLIGHT) });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
    expect(headers.vary).toContain('Origin');
  });

  it('returns 405 or 404 for OPTIONS without Access-Control-Request-Method', async () => {
    await request(app.getHttpServer())
      .options(ECHO)
      .set('Origin', ORIGIN)
      .expect(405, '{"detail":"Method Not Allowed"}')
      .expect('Allow', 'POST');
    await request(app.getHttpServer()).options('/nope').expect(404);
  });
});

describe('CORS_ORIGINS=*', () => {
  let app: TestApp['app'];

  beforeAll(async () => {
    ({ app } = await createTestApp({ settings: { CORS_ORIGINS: '*' } }));
  });

  it('allows every origin', async () => {
    const { headers } = await request(app.getHttpServer())
      .get('/system/healthz')
      .set('Origin', ORIGIN)
      .expect(200);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers).not.toHaveProperty('vary');
  });

  it("passes neither requests nor preflight requests through Express's router", async () => {
    const { router } = app.getHttpAdapter().getInstance();
    const handle = jest.spyOn(router as unknown as { handle(): void }, 'handle');
    await request(app.getHttpServer())
      .get('/system/healthz')
      .expect(200)
      .expect('Access-Control-Allow-Origin', '*');
    await request(app.getHttpServer())
      .options(ECHO)
      .set({ Origin: ORIGIN, ...PREFLIGHT })
      .expect(204);
    expect(handle).toHaveBeenCalledTimes(0);
    handle.mockRestore();
  });

  it('counts and logs preflight requests', async () => {
    const { app, log } = await createTestApp({
      settings: { CORS_ORIGINS: '*', LOG_LEVEL: 'info' },
    });
    await request(app.getHttpServer())
      .options(ECHO)
      .set({ Origin: ORIGIN, 'X-Request-Id': 'preflight-1', ...PREFLIGHT })
      .expect(204)
      .expect('X-Request-Id', 'preflight-1');
    const completed = { method: 'OPTIONS', route: 'unmatched', statusCode: 204 };
    expect(log).toEqual([expect.objectContaining({ ...completed, requestId: 'preflight-1' })]);
    await request(app.getHttpServer())
      .get('/metrics')
      .expect(200, /^http_request_duration_seconds_count\{.*method="OPTIONS".*\} 1$/m);
  });

  it('sends no CORS headers with the rejection of a malformed request', async () => {
    const { headers } = await request(app.getHttpServer())
      .get('/%zz')
      .set('Origin', ORIGIN)
      .expect(400);
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('without CORS_ORIGINS', () => {
  it.each([
    ['get', 200],
    ['options', 405],
  ] as const)('sends no CORS headers to %s', async (method, status) => {
    const { app } = await createTestApp();
    const { headers } = await request(app.getHttpServer())
      [method]('/smoke-test')
      .set({ Origin: ORIGIN, ...PREFLIGHT })
      .expect(status);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});
