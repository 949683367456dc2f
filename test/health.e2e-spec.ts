import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { NextFunction, Request, Response } from 'express';
import { createTestApp, type LogRecord, type TestApp } from './fixtures/app.js';
import { portOf, send, sendRaw } from './fixtures/http.js';
import {
  flood,
  openPipe,
  type Run,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const READYZ = '/system/readyz';

/** Options of Node that run a module before the service; it makes the fault when it is signalled. */
function fault(source: string, options = ''): Run['env'] {
  return {
    NODE_OPTIONS: `${options} --import=data:text/javascript,${encodeURIComponent(source)}`,
  };
}

async function readiness(service: Service) {
  const answer = await fetch(service.url + READYZ);
  return [answer.status, (await answer.json()) as unknown];
}

async function untilIs(service: Service, state: 'up' | 'down', check: string): Promise<void> {
  await waitFor(async () => {
    const answer = await fetch(service.url + READYZ);
    const { checks } = (await answer.json()) as { checks: Record<string, string> };
    return checks[check] === state;
  });
}

/** The records of the changes of a check's state. */
function changesOf(check: string, stdout: string): LogRecord[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogRecord)
    .filter((record) => record.check === check);
}

describe('GET /system/readyz', () => {
  it('is 200 with the state of each check, and never cached', async () => {
    const { app, log } = await createTestApp();
    const { status, headers, text } = await send(app, 'GET', READYZ);
    expect([status, text]).toEqual([
      200,
      '{"status":"ok","checks":{"event_loop":"up","log":"up"}}',
    ]);
    expect(headers['cache-control']).toBe('no-store');
    const head = await send(app, 'HEAD', READYZ);
    expect([head.status, head.text, log]).toEqual([200, '', []]);
  });

  it('is 503 while the event loop is blocked, and recovers', async () => {
    const block = `let isBlocked = false;
      function turn() {
        const until = performance.now() + 1500;
        while (performance.now() < until);
        if (isBlocked) setTimeout(turn, 150);
      }
      process.on('SIGUSR2', () => { isBlocked = !isBlocked; if (isBlocked) turn(); });`;
    const service = await startService({ env: fault(block) });
    service.process.kill('SIGUSR2');
    await untilIs(service, 'down', 'event_loop');
    expect(await readiness(service)).toEqual([
      503,
      { status: 'error', checks: { event_loop: 'down', log: 'up' } },
    ]);
    service.process.kill('SIGUSR2');
    await untilIs(service, 'up', 'event_loop');
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    // However often it was asked meanwhile.
    expect(changesOf('event_loop', stdout)).toEqual([
      expect.objectContaining({
        level: 'error',
        msg: 'Readiness check event_loop is down',
        reason: expect.stringMatching(
          /^The average event loop delay over 5000 ms was \d+ ms, the limit is 250 ms$/,
        ) as string,
        requestId: expect.any(String) as string,
      }),
      expect.objectContaining({
        level: 'info',
        msg: 'Readiness check event_loop is up',
        requestId: expect.any(String) as string,
      }),
    ]);
    expect(stdout).not.toContain('"msg":"Request completed"');
  });

  it('is 503 while the log is stuck, and recovers', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    expect(await flood(service, 'fill-', 1000)).toBe(1000);
    await untilIs(service, 'down', 'log');
    // More than the pipe and the backlog hold.
    expect(await flood(service, 'drop-', 25_000)).toBe(25_000);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('petsage_readiness_check_up{check="log",optional="false"} 0\n');
    expect(metrics).toMatch(/^petsage_log_backlog_bytes [1-9]\d{6}$/m);
    expect(metrics).toMatch(/^petsage_log_oldest_unwritten_seconds [1-9]/m);
    expect(metrics).toMatch(/^petsage_log_dropped_records_total [1-9]/m);
    expect(await readiness(service)).toEqual([
      503,
      { status: 'error', checks: { event_loop: 'up', log: 'down' } },
    ]);
    const output = text(new Socket({ fd: readable, readable: true, writable: false }));
    await untilIs(service, 'up', 'log');
    await stopService(service);
    expect(changesOf('log', await output).map(({ reason }) => reason)).toEqual([
      expect.stringMatching(
        /^The log destination has not accepted a record for \d+ ms, \d+ bytes are not yet written$/,
      ),
      undefined,
    ]);
  });
});

describe('GET /system/info', () => {
  it('tells which build answers, and since when', async () => {
    const service = await startService({ env: { GIT_REVISION: '4f2a9c1' } });
    const answer = await fetch(`${service.url}/system/info`);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const info = (await answer.json()) as { startedAt: string; uptimeSeconds: number };
    expect(JSON.stringify(info)).toBe(
      JSON.stringify({
        name: 'petsage-api',
        version: '1.0.0',
        revision: '4f2a9c1',
        node: process.version,
        startedAt: new Date(info.startedAt).toISOString(),
        uptimeSeconds: info.uptimeSeconds,
      }),
    );
    const age = (Date.now() - Date.parse(info.startedAt)) / 1000;
    expect(age).toBeGreaterThanOrEqual(info.uptimeSeconds);
    expect(age).toBeLessThan(info.uptimeSeconds + 2);
    await stopService(service);
  });
});

describe('GET /metrics', () => {
  let app: TestApp['app'];

  beforeAll(async () => {
    ({ app } = await createTestApp());
  });

  async function metrics(): Promise<string> {
    return (await send(app, 'GET', '/metrics')).text;
  }

  /** How many requests each series has counted, this one not. */
  async function counts(): Promise<Record<string, number>> {
    const lines = (await metrics()).matchAll(
      /^http_request_duration_seconds_count\{(.*)\} (\d+)$/gm,
    );
    return Object.fromEntries([...lines].map(([, labels = '', count]) => [labels, Number(count)]));
  }

  /** Sends a request with a part of its body, and leaves when it is answered. */
  async function leaveUnfinished(start: string): Promise<void> {
    const socket = connect(portOf(app), '127.0.0.1');
    socket.write(`${start} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 40[45] /);
    // What else comes is no answer to anything.
    expect(await text(socket.end())).toBe('');
  }

  it('is the text that Prometheus reads', async () => {
    const { status, headers } = await send(app, 'GET', '/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(headers['cache-control']).toBe('no-store');
  });

  it('adds up to the requests that were made, by method, route pattern and status', async () => {
    const before = await counts();
    const echo = '/api/v1/system/smoke-test';
    const json = { 'Content-Type': 'application/json' };
    const kinds: (() => Promise<unknown>)[] = [
      () => send(app, 'GET', '/system/healthz'),
      () => send(app, 'HEAD', '/system/healthz?probe=1'),
      () => send(app, 'GET', `/wp-admin/${Math.random()}.php`),
      () => send(app, 'POST', echo, json, '{"ping":"pet"}'),
      () => send(app, 'POST', echo, json, '{"ping":1}'),
      () => send(app, 'DELETE', '/smoke-test/'),
      () => send(app, 'PROPFIND', '/'),
      () => send(app, 'GET', '/docs/swagger-ui.css'),
      () => send(app, 'GET', '/v1/health/smoke-test'),
      () => sendRaw(app, 'no HTTP at all\r\n\r\n'),
      // Answered before the body is there, which never comes.
      () => leaveUnfinished('POST /nope'),
      () => leaveUnfinished('PUT /system/info'),
    ];
    for (let i = 0; i < 100; i++) await Promise.all(kinds.map((ask) => ask()));
    const after = await counts();
    const changes = Object.entries(after)
      .map(([labels, count]) => [labels, count - (before[labels] ?? 0)])
      .filter(([labels]) => !String(labels).includes('route="/metrics"'));
    expect(Object.fromEntries(changes)).toEqual({
      'method="GET",route="/system/healthz",status="200"': 100,
      'method="HEAD",route="/system/healthz",status="200"': 100,
      'method="GET",route="unmatched",status="404"': 100,
      [`method="POST",route="${echo}",status="200"`]: 100,
      [`method="POST",route="${echo}",status="422"`]: 100,
      'method="DELETE",route="unmatched",status="405"': 100,
      'method="other",route="unmatched",status="405"': 100,
      'method="GET",route="/docs/*",status="200"': 100,
      'method="GET",route="/v1/health/smoke-test",status="200"': 100,
      'method="other",route="unmatched",status="400"': 100,
      'method="POST",route="unmatched",status="404"': 100,
      'method="PUT",route="unmatched",status="405"': 100,
    });
    expect(await metrics()).toContain(
      'petsage_smoke_test_total{check="liveness",outcome="success"} 200\n',
    );
  });

  it('has durations in seconds, from a tenth of a millisecond up', async () => {
    const series = 'method="POST",route="/api/v1/system/smoke-test",status="200"';
    const sum = async () => {
      const line = new RegExp(`^http_request_duration_seconds_sum\\{${series}\\} (.*)$`, 'm');
      // There is none before the first request.
      return Number(line.exec(await metrics())?.[1] ?? 0);
    };
    await send(app, 'GET', '/system/healthz');
    const before = await sum();
    const startedAt = performance.now();
    const socket = connect(portOf(app), '127.0.0.1');
    socket.write(
      'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 12\r\n\r\n',
    );
    await once(socket, 'data');
    const askedAt = performance.now();
    await waitFor(() => performance.now() - askedAt > 50);
    const waited = performance.now() - askedAt;
    socket.write('{"ping":"p"}');
    await text(socket);
    const counted = ((await sum()) - before) * 1000;
    expect(counted).toBeGreaterThanOrEqual(waited);
    expect(counted).toBeLessThan(performance.now() - startedAt);
    const buckets = (await metrics()).matchAll(
      /^http_request_duration_seconds_bucket\{le="(.*?)",method="GET",route="\/system\/healthz"/gm,
    );
    expect([...buckets].map(([, le]) => le)).toEqual(
      '0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf'.split(
        ' ',
      ),
    );
  });

  it('counts an answer that an error broke off as 500', async () => {
    const { app: faulty } = await createTestApp({
      prepare(unready) {
        unready.use('/broken', (_: Request, res: Response, next: NextFunction) => {
          res.write('a part');
          next(new Error('too late'));
        });
      },
    });
    await expect(send(faulty, 'GET', '/broken')).rejects.toThrow();
    const series = 'count{method="GET",route="unmatched",status="500"} 1\n';
    await waitFor(async () => (await send(faulty, 'GET', '/metrics')).text.includes(series));
  });

  it('counts a request that the client left as 499', async () => {
    const head = 'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n';
    connect(portOf(app), '127.0.0.1').end(`${head}{`);
    const series = 'method="POST",route="/api/v1/system/smoke-test",status="499"';
    await waitFor(async () => (await counts())[series] === 1);
  });

  it('has the state of the process', async () => {
    const text = await metrics();
    for (const line of [
      'http_requests_in_flight 1',
      `petsage_build_info{version="1.0.0",revision="unknown",node="${process.version}"} 1`,
      'petsage_lifecycle_phase{phase="starting"} 0',
      'petsage_lifecycle_phase{phase="ready"} 1',
      'petsage_lifecycle_phase{phase="draining"} 0',
      'petsage_readiness_check_up{check="event_loop",optional="false"} 1',
      'petsage_readiness_check_up{check="log",optional="false"} 1',
      'petsage_log_backlog_bytes 0',
      'petsage_log_dropped_records_total 0',
      'petsage_log_oldest_unwritten_seconds 0',
      'petsage_smoke_test_total{check="logging",outcome="failure"} 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    for (const name of ['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']) {
      expect(text).toMatch(new RegExp(`^${name} [0-9.e-]+$`, 'm'));
    }
  });

  it('has every metric that the README names', async () => {
    const readme = (await readFile('README.md', 'utf8')).split('### Metrics')[1] ?? '';
    const names = new Set(readme.match(/\b(petsage|http)_[a-z_]+/g));
    expect(names.size).toBeGreaterThan(10);
    // Durations are there from the first request that is over.
    await waitFor(async () => Object.keys(await counts()).length > 0);
    const text = await metrics();
    expect(
      [...names].filter((name) => !text.includes(`${name}{`) && !text.includes(`${name} `)),
    ).toEqual([]);
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  const itWithPromtool = hasPromtool ? it : it.skip;

  itWithPromtool('is found to be in order by promtool', async () => {
    const input = await metrics();
    expect(
      execFileSync('promtool', ['check', 'metrics'], { input, stdio: 'pipe' }).toString(),
    ).toBe('');
  });
  itWithPromtool('has alerts in the README that are in order', async () => {
    const readme = await readFile('README.md', 'utf8');
    const folder = await mkdtemp(join(tmpdir(), 'petsage-alerts-'));
    const file = join(folder, 'rules.yml');
    await writeFile(file, /```yaml\n(groups:.*?)```/s.exec(readme)?.[1] ?? '');
    const output = execFileSync('promtool', ['check', 'rules', file], { stdio: 'pipe' });
    await rm(folder, { recursive: true });
    expect(output.toString()).toMatch(/SUCCESS: [1-9]\d* rules found/);
  });
});
