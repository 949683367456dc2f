import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { AuthModule } from '../src/platform/auth/auth.module.js';
import { JobsModule } from '../src/platform/jobs/jobs.module.js';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { openSocket, openUpload, sendRaw } from './fixtures/http.js';
import { waitFor } from './fixtures/wait-for.js';

const ECHO = '/api/v1/system/smoke-test';

let app: TestApp['app'];

beforeAll(async () => {
  ({ app } = await createTestApp());
});

async function getMetrics(target = app): Promise<string> {
  const response = await request(target.getHttpServer()).get('/metrics').expect(200);
  return response.text;
}

/** Returns the value of a series, or 0 if there is none. */
function parseValue(metrics: string, series: string): number {
  const line = metrics.split('\n').find((line) => line.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

/** Returns the number of requests by labels, without requests to `/metrics`. */
function parseRequestCounts(metrics: string): Map<string, number> {
  const lines = metrics.matchAll(/^http_request_duration_seconds_count\{(.*)\} (\d+)$/gm);
  const counts = [...lines].map(([, labels = '', count]) => [labels, Number(count)] as const);
  return new Map(counts.filter(([labels]) => !labels.includes('route="/metrics"')));
}

/** Sends the head and one byte of the body, and closes the connection after the response. */
async function abortUpload(requestLine: string, status: number): Promise<void> {
  const socket = await openSocket(app);
  socket.write(`${requestLine} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{`);
  const [response] = (await once(socket, 'data')) as [Buffer];
  expect(response.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  // There is no second response.
  expect(await text(socket.end())).toBe('');
}

describe('GET /metrics', () => {
  it('returns the Prometheus text format', async () => {
    await request(app.getHttpServer())
      .get('/metrics')
      .expect('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
      .expect('Cache-Control', 'no-store')
      .expect(200);
  });

  it('counts every request by method, route pattern and status', async () => {
    const server = app.getHttpServer();
    const sendOneOfEach = () => [
      request(server).get('/system/healthz'),
      request(server).head('/system/healthz?probe=1'),
      request(server).get(`/wp-admin/${Math.random()}.php`),
      request(server).post(ECHO).send({ ping: 'pet' }),
      request(server).post(ECHO).send({ ping: 1 }),
      request(server).delete('/smoke-test/'),
      request(server).get('/docs/swagger-ui.css'),
      request(server).get('/v1/health/smoke-test'),
      sendRaw(app, 'PROPFIND / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
      sendRaw(app, 'no HTTP at all\r\n\r\n'),
      abortUpload('POST /nope', 404),
      abortUpload('PUT /system/info', 405),
    ];
    const before = await getMetrics();
    for (let i = 0; i < 20; i++) await Promise.all<unknown>(sendOneOfEach());
    const after = await getMetrics();
    const countsBefore = parseRequestCounts(before);
    const increases = [...parseRequestCounts(after)].map(([labels, count]) => [
      labels,
      count - (countsBefore.get(labels) ?? 0),
    ]);
    expect(Object.fromEntries(increases)).toEqual({
      'method="GET",route="/system/healthz",status="200"': 20,
      'method="HEAD",route="/system/healthz",status="200"': 20,
      'method="GET",route="unmatched",status="404"': 20,
      [`method="POST",route="${ECHO}",status="200"`]: 20,
      [`method="POST",route="${ECHO}",status="422"`]: 20,
      'method="DELETE",route="unmatched",status="405"': 20,
      'method="GET",route="/docs/*",status="200"': 20,
      'method="GET",route="/v1/health/smoke-test",status="200"': 20,
      'method="other",route="unmatched",status="405"': 20,
      'method="other",route="unmatched",status="400"': 20,
      'method="POST",route="unmatched",status="404"': 20,
      'method="PUT",route="unmatched",status="405"': 20,
    });
    const checks = 'petsage_smoke_test_total{check="liveness",outcome="success"}';
    expect(parseValue(after, checks) - parseValue(before, checks)).toBe(40);
  });

  it('measures the duration of a request in seconds', async () => {
    const labels = `{method="POST",route="${ECHO}",status="200"}`;
    const sum = `http_request_duration_seconds_sum${labels}`;
    const before = parseValue(await getMetrics(), sum);
    const sentAt = performance.now();
    const upload = await openUpload(app, 12, { headers: 'Connection: close\r\n' });
    const continuedAt = performance.now();
    // The time between the head and the body, in which another request is served, is part of the
    // duration.
    await getMetrics();
    const waitedMs = performance.now() - continuedAt;
    upload.write('{"ping":"p"}');
    await text(upload);
    const totalMs = performance.now() - sentAt;
    const metrics = await getMetrics();
    const measuredMs = (parseValue(metrics, sum) - before) * 1000;
    expect(measuredMs).toBeGreaterThanOrEqual(waitedMs);
    expect(measuredMs).toBeLessThan(totalMs);
    const prefix = 'http_request_duration_seconds_bucket{le="';
    const buckets = metrics
      .split('\n')
      .filter((line) => line.startsWith(prefix) && line.includes(labels.slice(1)))
      .map((line) => line.slice(prefix.length).split('"')[0]);
    expect(buckets.join(' ')).toBe(
      '0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf',
    );
  });

  it('counts a response that failed after its start as 500', async () => {
    const { app: faulty } = await createTestApp({
      prepare: (unready) => {
        unready.use('/broken', (_: Request, response: Response, next: NextFunction) => {
          response.write('a part');
          next(new Error('too late'));
        });
      },
    });
    await expect(request(faulty.getHttpServer()).get('/broken')).rejects.toThrow();
    const series =
      'http_request_duration_seconds_count{method="GET",route="unmatched",status="500"}';
    await waitFor(async () => parseValue(await getMetrics(faulty), series) === 1);
  });

  it('counts a request that the client aborted as 499', async () => {
    const series = `http_request_duration_seconds_count{method="POST",route="${ECHO}",status="499"}`;
    const before = parseValue(await getMetrics(), series);
    (await openUpload(app, 12)).end('{');
    await waitFor(async () => parseValue(await getMetrics(), series) === before + 1);
  });

  it('exposes the state of the process', async () => {
    const { app: idle } = await createTestApp();
    const metrics = await getMetrics(idle);
    expect(metrics.split('\n')).toEqual(
      expect.arrayContaining([
        'http_requests_in_flight 1',
        `petsage_build_info{version="1.0.0",revision="unknown",node="${process.version}"} 1`,
        'petsage_lifecycle_phase{phase="starting"} 0',
        'petsage_lifecycle_phase{phase="ready"} 1',
        'petsage_lifecycle_phase{phase="draining"} 0',
        'petsage_readiness_check_up{check="event_loop",optional="true"} 1',
        'petsage_readiness_check_up{check="log",optional="true"} 1',
        expect.stringMatching(
          /^petsage_readiness_check_duration_seconds\{check="event_loop"\} 0(\.\d+)?$/,
        ),
        expect.stringMatching(
          /^petsage_readiness_check_duration_seconds\{check="log"\} 0(\.\d+)?$/,
        ),
        'petsage_log_backlog_bytes 0',
        'petsage_log_dropped_records_total 0',
        'petsage_log_oldest_unwritten_seconds 0',
        'petsage_smoke_test_total{check="logging",outcome="failure"} 0',
        expect.stringMatching(/^petsage_heap_limit_bytes [1-9]\d{7,}$/),
        expect.stringMatching(/^process_cpu_seconds_total [\d.]+$/),
        expect.stringMatching(/^nodejs_eventloop_lag_p99_seconds [\d.e-]+$/),
      ]),
    );
  });

  it('exposes the metrics that docs/operations.md documents, and no others', async () => {
    const operations = await readFile('docs/operations.md', 'utf8');
    const documented = operations.matchAll(/^\| `((?:petsage|http)_\w+)` /gm);
    const { app } = await createTestApp({ features: [AuthModule, JobsModule] });
    const { text } = await request(app.getHttpServer()).get('/metrics').expect(200);
    const exposed = text.matchAll(/^# TYPE ((?:petsage|http)_\w+) /gm);
    const [exposedNames, documentedNames] = [exposed, documented].map((matches) =>
      [...matches].map(([, name]) => name).sort(),
    );
    expect(exposedNames).toEqual(documentedNames);
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

  // Requires promtool.
  (hasPromtool ? it : it.skip)('passes promtool check metrics', async () => {
    const output = execFileSync('promtool', ['check', 'metrics'], {
      input: await getMetrics(),
      stdio: 'pipe',
    });
    expect(output.toString()).toBe('');
  });
});
