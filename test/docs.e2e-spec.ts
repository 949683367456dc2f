import { jest } from '@jest/globals';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
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

describe.each(['/openapi.json', '/openapi.yaml', '/docs/swagger-ui-init.js'])('GET %s', (path) => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('handles one module in each iteration of the event loop, and only for the first request', async () => {
    const { app } = await createTestApp();
    const createDocument = SwaggerModule.createDocument.bind(SwaggerModule);
    const iterations: number[] = [];
    let iteration = 0;
    const count = () => {
      iteration += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    jest.spyOn(SwaggerModule, 'createDocument').mockImplementation((...args) => {
      iterations.push(iteration);
      return createDocument(...args);
    });
    const server = app.getHttpServer();
    const first = await request(server).get(path).expect(200);
    clearImmediate(timer);
    expect(iterations.length).toBeGreaterThan(2);
    expect(new Set(iterations).size).toBe(iterations.length);
    const calls = iterations.length;
    const second = await request(server).get(path).expect(200);
    expect(second.text).toBe(first.text);
    expect(iterations).toHaveLength(calls);
  });

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

it('creates the document again after an error', async () => {
  const { app } = await createTestApp();
  const server = app.getHttpServer();
  const createDocument = jest.spyOn(SwaggerModule, 'createDocument');
  createDocument.mockImplementationOnce(() => {
    throw new Error('no document');
  });
  await request(server).get('/openapi.json').expect(500, { detail: 'Internal Server Error' });
  createDocument.mockRestore();
  await request(server).get('/openapi.json').expect(200);
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
