import { createTestApp, type TestApp } from './fixtures/app.js';
import { send } from './fixtures/http.js';

const ECHO = '/api/v1/system/smoke-test';
const ALLOWED = { Origin: 'https://app.petsage.io' };
const FOREIGN = { Origin: 'https://evil.example' };
const PREFLIGHT = {
  'Access-Control-Request-Method': 'POST',
  'Access-Control-Request-Headers': 'content-type,x-request-id',
};

describe('CORS_ORIGINS=https://app.petsage.io,http://localhost:3000', () => {
  let app: TestApp['app'];

  beforeAll(async () => {
    ({ app } = await createTestApp({
      settings: { CORS_ORIGINS: 'https://app.petsage.io,http://localhost:3000' },
    }));
  });

  it.each(['https://app.petsage.io', 'http://localhost:3000'])('lets %s ask', async (origin) => {
    const { status, text, headers } = await send(app, 'OPTIONS', ECHO, {
      Origin: origin,
      ...PREFLIGHT,
    });
    expect([status, text]).toEqual([204, '']);
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

  it('lets it read answers, errors too, and the request id', async () => {
    for (const path of ['/system/healthz', '/nope', ECHO]) {
      const { headers } = await send(app, 'GET', path, ALLOWED);
      expect(headers).toMatchObject({
        'access-control-allow-origin': ALLOWED.Origin,
        'access-control-expose-headers': 'X-Request-Id,Allow',
        vary: 'Origin',
      });
    }
  });

  it('lets no other origin', async () => {
    for (const [method, headers] of [
      ['OPTIONS', { ...FOREIGN, ...PREFLIGHT }],
      ['GET', FOREIGN],
      ['GET', { Origin: 'null' }],
    ] as const) {
      const answer = await send(app, method, '/system/healthz', headers);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
      expect(answer.headers.vary).toContain('Origin');
    }
  });

  it('answers an OPTIONS request that is no preflight as ever', async () => {
    const { status, text, headers } = await send(app, 'OPTIONS', ECHO, ALLOWED);
    expect([status, text, headers.allow]).toEqual([405, '{"detail":"Method Not Allowed"}', 'POST']);
    expect((await send(app, 'OPTIONS', '/nope')).status).toBe(404);
  });
});
