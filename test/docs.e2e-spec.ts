import { jest } from '@jest/globals';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { load } from 'js-yaml';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';

afterEach(() => {
  jest.restoreAllMocks();
});

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

describe.each(['/openapi.json', '/openapi.yaml', '/docs/swagger-ui-init.js'])('GET %s', (path) => {
  it('returns 304 for its ETag', async () => {
    const { app } = await createTestApp();
    const server = app.getHttpServer();
    const { headers } = await request(server).get(path).expect(200);
    const { etag } = headers as { etag: string };
    expect(etag).toMatch(/^"[\w-]{27}"$/);
    expect(headers).toMatchObject({ 'cache-control': 'no-cache' });
    const response = await request(server).get(path).set('If-None-Match', etag).expect(304);
    expect(response.text).toBe('');
    await request(server).get(path).set('If-None-Match', '"other"').expect(200);
  });
});

it('creates the document once, at start-up', async () => {
  const createDocument = jest.spyOn(SwaggerModule, 'createDocument');
  const { app } = await createTestApp();
  expect(createDocument).toHaveBeenCalled();
  createDocument.mockClear();
  const server = app.getHttpServer();
  const json = await request(server).get('/openapi.json').expect(200);
  const yaml = await request(server).get('/openapi.yaml').expect(200);
  const script = await request(server).get('/docs/swagger-ui-init.js').expect(200);
  expect(load(yaml.text)).toEqual(json.body);
  expect(script.text).toContain(`spec: ${json.text},`);
  expect(createDocument).not.toHaveBeenCalled();
});

it('aborts start-up if the document cannot be created', async () => {
  jest.spyOn(SwaggerModule, 'createDocument').mockImplementationOnce(() => {
    throw new Error('no document');
  });
  await expect(createTestApp()).rejects.toThrow('no document');
});

describe('DOCS=false', () => {
  it('removes the documentation, and does not create the document', async () => {
    const createDocument = jest.spyOn(SwaggerModule, 'createDocument');
    const { app } = await createTestApp({ settings: { DOCS: 'false' } });
    for (const path of ['/docs', '/docs/swagger-ui.css', '/openapi.json', '/openapi.yaml']) {
      await request(app.getHttpServer()).get(path).expect(404, { detail: 'Not Found' });
    }
    await request(app.getHttpServer()).get('/system/healthz').expect(200);
    expect(createDocument).not.toHaveBeenCalled();
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
