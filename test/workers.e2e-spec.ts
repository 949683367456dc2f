import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogRecord } from './fixtures/app.js';
import {
  isWorking,
  runToEnd,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const TWO = { WEB_CONCURRENCY: '2' };

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-workers-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

function recordsOf(log: string): LogRecord[] {
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogRecord);
}

/** Asks on a connection of its own, so that the workers take turns. */
function ask(service: Service, path: string): Promise<Response> {
  return fetch(service.url + path, { headers: { Connection: 'close' } });
}

async function pidsOfWorkers({ process: { pid } }: Service): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

/** A service of two workers that have a minute to drain. */
async function startDraining(): Promise<{ service: Service; workers: number[] }> {
  const service = await startService({ env: { ...TWO, SHUTDOWN_DELAY_MS: '60000' } });
  await isWorking(service, 2);
  const workers = await pidsOfWorkers(service);
  service.process.kill('SIGTERM');
  await waitFor(async () => (await ask(service, '/system/readyz')).status === 503);
  return { service, workers };
}

describe('WEB_CONCURRENCY', () => {
  it('runs that many workers, whose metrics are those of the whole', async () => {
    const service = await startService({ env: TWO });
    await isWorking(service, 2);
    const before = Number(/check="operation".* (\d+)/.exec(await metricsOf(service))?.[1]);
    for (let i = 0; i < 20; i++) {
      expect((await ask(service, '/api/v1/smoke-test')).status).toBe(200);
      await ask(service, '/nope');
      // One more than two, so that each of the two workers gets each of them.
      await ask(service, '/system/healthz');
    }
    // Whichever worker is asked, and several at the same time.
    const metrics = await Promise.all(Array.from({ length: 4 }, () => metricsOf(service)));
    for (const text of metrics) {
      expect(text).toContain(
        `petsage_smoke_test_total{check="operation",outcome="success"} ${before + 20}\n`,
      );
      expect(text).toContain(
        'http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 20\n',
      );
      expect(text).toContain('petsage_readiness_check_up{check="log",optional="false"} 1\n');
      expect(text).toMatch(/\npetsage_build_info\{.*\} 1\n/);
      expect(text).toMatch(/\nprocess_start_time_seconds \d+\n/);
    }
    const { code, stdout, stderr } = await stopService(service);
    expect([code, stderr]).toEqual([0, '']);
    const requests = recordsOf(stdout).filter(({ route }) => route === 'unmatched');
    expect(new Set(requests.map(({ worker }) => worker))).toEqual(new Set([1, 2]));
    const ends = recordsOf(stdout).filter(({ msg }) => msg === 'Stopped');
    expect(ends.map(({ worker }) => worker).sort()).toEqual([1, 2]);
  });

  it('replaces a worker that dies, after a pause that grows', async () => {
    const service = await startService({ env: TWO });
    for (let deaths = 0; deaths < 2; deaths++) {
      await isWorking(service, 2);
      const newest = Math.max(...(await pidsOfWorkers(service)));
      process.kill(newest, 'SIGKILL');
      await waitFor(async () => !(await pidsOfWorkers(service)).includes(newest));
      expect((await ask(service, '/system/healthz')).status).toBe(200);
    }
    await isWorking(service, 2);
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    expect(recordsOf(stdout).filter(({ level }) => level !== 'info')).toMatchObject([
      {
        level: 'error',
        context: 'Primary',
        msg: 'Worker 2 ended (SIGKILL); another one starts in 500 ms',
      },
      {
        level: 'error',
        context: 'Primary',
        msg: 'Worker 3 ended (SIGKILL); another one starts in 1000 ms',
      },
    ]);
  });

  it('fails the scrape when a worker does not answer', async () => {
    const service = await startService({ env: TWO });
    await isWorking(service, 2);
    const [, second = 0] = await pidsOfWorkers(service);
    process.kill(second, 'SIGSTOP');
    // Connections are given to the one that is stopped as well.
    const asked = Array.from({ length: 4 }, () =>
      fetch(`${service.url}/metrics`, {
        headers: { Connection: 'close' },
        signal: AbortSignal.timeout(5000),
      }).then(
        async (answer) => [answer.status, await answer.text()],
        () => 'given to the worker that is stopped',
      ),
    );
    const answers = await Promise.all(asked);
    process.kill(second, 'SIGCONT');
    expect(answers).toContainEqual([503, '{"detail":"A worker did not give its metrics in time"}']);
    await stopService(service);
  });

  it('ends with code 1 and one line when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await runToEnd({ env: { ...TWO, PORT: String(port) } });
    server.close();
    expect([code, stderr]).toEqual([
      1,
      `Cannot listen on 127.0.0.1:${port} (EADDRINUSE). Set PORT and HOST to an address that is free.\n`,
    ]);
  });

  it('ends in good order when it is told to while workers start', async () => {
    // The second worker is forked when the first one listens.
    const service = await startService({ env: TWO });
    const { code, stderr } = await stopService(service);
    expect([code, stderr]).toEqual([0, '']);
  });

  it('ends all at once at a second signal', async () => {
    const { service, workers } = await startDraining();
    // One that can do nothing any more as well.
    process.kill(Number(workers[1]), 'SIGSTOP');
    expect((await stopService(service)).code).toBe(143);
    await waitFor(() => workers.every((pid) => !isAlive(pid)));
  });

  it('ends with code 1 when a worker did not end in good order', async () => {
    const { service, workers } = await startDraining();
    for (const pid of workers) process.kill(pid, 'SIGKILL');
    expect((await once(service.process, 'exit'))[0]).toBe(1);
  });

  it('leaves the signals of a terminal to the primary', async () => {
    const service = await startService({ env: { ...TWO, SHUTDOWN_DELAY_MS: '60000' } });
    await isWorking(service, 2);
    const workers = await pidsOfWorkers(service);
    // It sends them to each process of the group.
    for (const pid of workers) process.kill(pid, 'SIGINT');
    const { code, stdout } = await stopService(service, 'SIGINT');
    expect(code).toBe(0);
    expect(recordsOf(stdout).filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('opens LOG_FILE anew in all processes on SIGHUP', async () => {
    const file = join(folder, 'rotated.log');
    const service = await startService({ env: { ...TWO, LOG_FILE: file } });
    await isWorking(service, 2);
    await rename(file, `${file}.1`);
    service.process.kill('SIGHUP');
    await waitFor(async () => {
      await ask(service, '/nope');
      const log = await readFile(file, 'utf8').catch(() => '');
      return log.includes('"worker":1') && log.includes('"worker":2');
    });
    await stopService(service);
    const moved = recordsOf(await readFile(`${file}.1`, 'utf8'));
    expect(moved.map(({ msg }) => msg)).not.toContain('Stopped');
  });
});

async function metricsOf(service: Service): Promise<string> {
  return (await ask(service, '/metrics')).text();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
