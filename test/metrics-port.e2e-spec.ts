import { once } from 'node:events';
import { createServer } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { findFreePort, listen, openSocket } from './fixtures/http.js';
import { runService, startWithMetricsPort, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

describe('METRICS_PORT', () => {
  let app: TestApp['app'];
  let url: string;

  beforeAll(async () => {
    const port = await findFreePort();
    url = `http://127.0.0.1:${port}`;
    const settings = { HOST: '127.0.0.1', METRICS_PORT: String(port) };
    ({ app } = await createTestApp({ settings }));
  });

  it('serves the metrics of the service', async () => {
    await request(app.getHttpServer()).get('/system/healthz').expect(200);
    const { headers } = await request(app.getHttpServer()).get('/system/info');
    const response = await request(url)
      .get('/metrics')
      .set('X-Request-Id', 'scrape-1')
      .expect('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
      .expect('Cache-Control', 'no-store')
      .expect('X-Request-Id', 'scrape-1')
      .expect(200, /^http_request_duration_seconds_count\{.*route="\/system\/healthz".*\} 1$/m);
    for (const name of ['content-security-policy', 'x-content-type-options', 'x-frame-options']) {
      expect(response.headers[name]).toBe(headers[name]);
    }
    await request(url).head('/metrics').expect(200);
  });

  it.each(['/system/healthz', '/system/readyz'])(
    'serves %s as the main port does',
    async (path) => {
      const expected = await request(app.getHttpServer()).get(path).set('X-Request-Id', 'a');
      const response = await request(url).get(path).set('X-Request-Id', 'a');
      expect(response.status).toBe(200);
      expect(response.text).toBe(expected.text);
      expect({ ...response.headers, date: '' }).toEqual({ ...expected.headers, date: '' });
      await request(url).head(path).expect(200);
    },
  );

  it('removes /metrics from the main port', async () => {
    await request(app.getHttpServer()).get('/metrics').expect(404, { detail: 'Not Found' });
  });

  it.each([
    ['get', '/', 404, 'Not Found'],
    ['get', '/system', 404, 'Not Found'],
    ['get', '/system/nope', 404, 'Not Found'],
    ['get', '/docs', 404, 'Not Found'],
    ['post', '/metrics', 405, 'Method Not Allowed'],
    ['post', '/system/healthz', 405, 'Method Not Allowed'],
    ['get', '/%zz', 400, 'The path is malformed: it is not valid percent-encoded UTF-8'],
  ] as const)('responds to %s %s with %i', async (method, path, status, detail) => {
    const response = await request(url)[method](path).expect(status, { detail });
    expect(response.headers).toMatchObject({
      'x-request-id': expect.any(String) as string,
      'cache-control': 'no-store',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    });
  });

  it('responds with 500 if a metric fails, and logs the cause', async () => {
    const port = String(await findFreePort());
    const settings = { HOST: '127.0.0.1', METRICS_PORT: port };
    const { app: faulty, log } = await createTestApp({ settings });
    const registry = faulty.get(Registry);
    new Gauge({
      name: 'faulty',
      help: 'A gauge that fails.',
      registers: [registry],
      collect() {
        throw new Error('no value');
      },
    });
    await request(`http://127.0.0.1:${port}`)
      .get('/metrics')
      .expect(500, { detail: 'Internal Server Error' });
    expect(log).toEqual([
      expect.objectContaining({
        level: 'error',
        err: expect.objectContaining({ message: 'no value' }) as object,
      }),
    ]);
  });

  it('aborts start-up if the port is in use', async () => {
    const server = createServer();
    const port = await listen(server);
    const exit = await runService({ env: { PORT: '0', METRICS_PORT: String(port) } });
    server.close();
    expect(exit).toMatchObject({
      code: 1,
      stderr: `Cannot listen on 127.0.0.1:${port} (EADDRINUSE). Set METRICS_PORT to a port that is free.\n`,
    });
    expect(exit.stdout).not.toContain('Listening on');
  });

  it('responds while the service drains', async () => {
    const [service, metricsUrl] = await startWithMetricsPort({
      env: { SHUTDOWN_DELAY_MS: '600000' },
    });
    service.process.kill('SIGTERM');
    await waitFor(async () => {
      const response = await request(service.url).get('/system/readyz');
      return response.status === 503;
    });
    await request(metricsUrl).get('/system/healthz').expect(200);
    await request(metricsUrl).get('/system/readyz').expect(503, { status: 'draining', checks: {} });
    await request(metricsUrl)
      .get('/metrics')
      .expect(200, /^petsage_lifecycle_phase\{phase="draining"\} 1$/m);
    await stopService(service);
  });

  it('is closed with the application', async () => {
    const port = String(await findFreePort());
    const settings = { HOST: '127.0.0.1', METRICS_PORT: port };
    const { app: closing } = await createTestApp({ settings });
    await request(`http://127.0.0.1:${port}`).get('/metrics').expect(200);
    await closing.close();
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
  });

  it('does not delay the shutdown with open connections', async () => {
    const [service, metricsUrl] = await startWithMetricsPort();
    const idle = await openSocket({ url: metricsUrl });
    idle.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(idle, 'data');
    const halfSent = await openSocket({ url: metricsUrl });
    halfSent.write('GET /metrics HTTP/1.1\r\nHo');
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
  });

  it('responds to probes with 503 until the main port listens', async () => {
    const port = String(await findFreePort());
    const metricsUrl = `http://127.0.0.1:${port}`;
    await createTestApp({
      settings: { HOST: '127.0.0.1', METRICS_PORT: port },
      prepare: async (starting) => {
        await starting.init();
        for (const path of ['/system/healthz', '/system/readyz']) {
          await request(metricsUrl).get(path).expect(503, { detail: 'Starting' });
        }
        await request(metricsUrl).get('/metrics').expect(200);
      },
    });
    await request(metricsUrl).get('/system/readyz').expect(200);
  });
});
