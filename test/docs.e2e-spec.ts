import type { OpenAPIObject } from '@nestjs/swagger';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';

describe('documentation', () => {
  it.each([
    ['/:slug', '/docs'],
    ['/*path', '/docs'],
    ['/{*path}', '/docs'],
    ['/docs/*path', '/docs/swagger-ui.css'],
    ['/openapi.json', '/openapi.json'],
  ])('aborts start-up if the route %s shadows it', async (route, path) => {
    const app = createTestApp({
      prepare(unready) {
        const express = unready.getHttpAdapter().getInstance();
        express.get(route, (_req, res) => {
          res.end();
        });
      },
    });
    await expect(app).rejects.toThrow(
      `The route ${route} matches ${path}, which is reserved. Choose another path.`,
    );
  });
});

describe('ROOT_PATH', () => {
  it.each([
    [{}, '/'],
    [{ ROOT_PATH: '/petsage' }, '/petsage'],
  ])('given %j, the server of the document is %s', async (settings, url) => {
    const { app } = await createTestApp({ settings });
    const response = await request(app.getHttpServer()).get('/openapi.json').expect(200);
    const { servers } = response.body as OpenAPIObject;
    expect(servers?.map((server) => server.url)).toEqual([url]);
  });

  it('does not change the routes', async () => {
    const { app } = await createTestApp({ settings: { ROOT_PATH: '/petsage' } });
    await request(app.getHttpServer()).get('/system/healthz').expect(200);
    await request(app.getHttpServer()).get('/petsage/system/healthz').expect(404);
  });
});
