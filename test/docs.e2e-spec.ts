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
