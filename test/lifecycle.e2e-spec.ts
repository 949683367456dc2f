import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { ConnectionTracker } from '../src/platform/lifecycle/connection-tracker.js';
import { LifecycleService } from '../src/platform/lifecycle/lifecycle.service.js';
import { createTestApp, type LogRecord } from './fixtures/app.js';
import { sendRaw } from './fixtures/http.js';
import { ended, runToEnd, type Service, startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const LIVENESS = '{"status":"ok","message":"PetSage API is alive and running!"}';
const DRAINING = '{"status":"draining","checks":{}}';

/** What became of one request, and when it was sent. */
interface Outcome {
  sentAt: number;
  status?: number;
  body?: string;
  connection?: string;
  error?: string;
}

/** Sends a request; that it fails is an outcome too. */
async function attempt(url: string, agent: Agent | false = false, body?: string): Promise<Outcome> {
  const sentAt = performance.now();
  try {
    const sent = request(url, {
      agent,
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'Content-Type': 'application/json' },
    }).end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const { statusCode: status, headers } = response;
    return { sentAt, status, body: await text(response), connection: headers.connection };
  } catch (error) {
    return { sentAt, error: (error as NodeJS.ErrnoException).code };
  }
}

/** Repeats a request, one after the other, waitFor nobody takes connections any more. */
async function repeat(url: string, agent?: Agent, body?: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (;;) {
    const outcome = await attempt(url, agent, body);
    if (outcome.error === 'ECONNREFUSED') return outcomes;
    outcomes.push(outcome);
  }
}

async function open(service: Service): Promise<Socket> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  await once(socket, 'connect');
  // That it is cut off is for the test to see, not an error.
  return socket.on('error', () => undefined);
}

/** Connects, again whenever the connection is closed, waitFor nobody takes connections any more. */
async function comeBack(service: Service, use: (socket: Socket) => void): Promise<void> {
  for (;;) {
    const socket = await open(service).catch(() => undefined);
    if (socket === undefined) return;
    use(socket);
    // Nor that it is reset: once() would throw it.
    if (!socket.closed) await new Promise((resolve) => socket.resume().once('close', resolve));
  }
}

/** A request of which the service has the headers and a part of the body. */
async function openUpload(service: Service): Promise<Socket> {
  const socket = await open(service);
  socket.write(
    'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n',
  );
  await once(socket, 'data');
  socket.write('{"ping":');
  return socket;
}

function recordsOf(stdout: string): LogRecord[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogRecord);
}

async function isDraining(service: Service): Promise<void> {
  await waitFor(async () => (await attempt(`${service.url}/system/readyz`)).body === DRAINING);
}

describe('SIGTERM under load', () => {
  const SLOW_MS = 1000;

  it.each([
    ...Array.from({ length: 10 }, (_, i) => [500, i + 1] as const),
    ...Array.from({ length: 2 }, (_, i) => [0, i + 1] as const),
  ])('loses no request with a delay of %i ms (time %i)', async (delayMs) => {
    const service = await startService({
      env: { SHUTDOWN_DELAY_MS: String(delayMs) },
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    const liveness = `${service.url}/system/healthz`;
    const echo = `${service.url}/api/v1/system/smoke-test`;
    const load = Array.from({ length: 50 }, (_, i) =>
      i % 2 ? repeat(liveness, agent) : repeat(echo, agent, '{"ping":"pet"}'),
    );
    const slow = await Promise.all(Array.from({ length: 5 }, () => openUpload(service)));
    const probes = [repeat(`${service.url}/system/readyz`), repeat(liveness)];

    const exit = once(service.process, 'exit') as Promise<[number]>;
    service.process.kill('SIGTERM');
    const signalledAt = performance.now();
    setTimeout(() => {
      for (const socket of slow) socket.write('"pet"} ');
    }, SLOW_MS);
    const answers = await Promise.all(slow.map((socket) => text(socket)));
    const [code] = await exit;
    const endedAt = performance.now();

    expect(code).toBe(0);
    for (const answer of answers) {
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      expect(answer).toContain('\r\nConnection: close\r\n');
      expect(answer).toContain('"pong":"pet"');
    }
    const outcomes = (await Promise.all(load)).flat();
    agent.destroy();
    expect(outcomes.length).toBeGreaterThan(100);
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([]);
    const [readiness = [], alive = []] = await Promise.all(probes);
    expect(alive.filter(({ body }) => body !== LIVENESS)).toEqual([]);
    const late = readiness.filter(({ sentAt }) => sentAt > signalledAt + 50);
    expect(late.length).toBeGreaterThan(delayMs > 0 ? 0 : -1);
    expect(late.filter(({ status, body }) => status !== 503 || body !== DRAINING)).toEqual([]);
    expect(late.filter(({ connection }) => connection !== 'close')).toEqual([]);
    expect(endedAt - signalledAt).toBeLessThan(Math.max(delayMs, SLOW_MS) + 1000);
    expect(await service.stderr).toBe('');
  });
});

describe('the end of the process', () => {
  it('is no worse for clients that lose patience with it', async () => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: '300' } });
    const upload = await openUpload(service);
    const head = 'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\n';
    const impatient = (bytes: string, leave: (socket: Socket) => void) =>
      comeBack(service, (socket) => {
        socket.write(bytes);
        setTimeout(() => {
          leave(socket);
        }, 2);
      });
    const clients = [
      impatient('GET /smoke-test HTTP/1.1\r\nHost: a\r\n\r\n', (socket) =>
        socket.resetAndDestroy(),
      ),
      impatient(`${head}Content-Length: 9\r\n\r\n{`, (socket) => socket.end()),
      impatient(`${head}Transfer-Encoding: chunked\r\n\r\n`, (socket) => socket.end('no chunk')),
    ];
    const ended = stopService(service);
    await Promise.all(clients);
    upload.write('"pet"} ');
    expect(await text(upload)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    const { code, stdout, stderr } = await ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(recordsOf(stdout).filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('comes though clients that come back with a request that takes forever', async () => {
    const service = await startService({ env: { SHUTDOWN_TIMEOUT_MS: '0' } });
    const upload =
      'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{';
    const clients = Array.from({ length: 20 }, () =>
      comeBack(service, (socket) => socket.write(upload)),
    );
    await waitFor(async () => {
      const { body = '' } = await attempt(`${service.url}/metrics`);
      return body.includes('http_requests_in_flight 21\n');
    });
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    await Promise.all(clients);
  });

  it('does not wait for clients that keep their connections and ask for nothing', async () => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: '100' } });
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open(service)));
    for (const socket of sockets.slice(10)) {
      socket.write('GET /system/healthz HTTP/1.1\r\nHost: a\r\n\r\n');
      await once(socket, 'data');
    }
    const half = await open(service);
    half.write('GET /system/healthz HTTP/1.1\r\nHo');
    const signalledAt = performance.now();
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - signalledAt).toBeLessThan(100 + 1000);
  });

  it('cuts off at the deadline what is not over, and counts it', async () => {
    const service = await startService({ env: { SHUTDOWN_TIMEOUT_MS: '300' } });
    const hanging = await Promise.all([openUpload(service), openUpload(service)]);
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    const main = recordsOf(stdout).filter(({ context }) => context === 'Shutdown');
    expect(main.map(({ level, msg, aborted }) => [level, msg, aborted])).toEqual([
      ['info', 'SIGTERM: draining, the listener closes in 0 ms', undefined],
      ['warn', 'Requests were aborted after 300 ms', 2],
      ['info', 'Stopped', undefined],
    ]);
    for (const socket of hanging) expect(socket.closed || (await text(socket)) === '').toBe(true);
  });

  it('skips the delay on SIGINT', async () => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: '60000' } });
    expect(await stopService(service, 'SIGINT')).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('comes at once when %s is the second signal', async (signal, expected) => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: '60000' } });
    service.process.kill('SIGTERM');
    await isDraining(service);
    const { body } = await attempt(`${service.url}/metrics`);
    expect(body).toContain('petsage_lifecycle_phase{phase="draining"} 1\n');
    const { code, stdout } = await stopService(service, signal);
    expect(code).toBe(expected);
    expect(recordsOf(stdout).at(-1)).toMatchObject({
      msg: `Second signal (${signal}): exiting immediately`,
    });
  });

  it('comes at once when the signal does while it starts', async () => {
    const slowStart = `
      import fs from 'node:fs/promises';
      import { syncBuiltinESMExports } from 'node:module';
      fs.readdir = () => new Promise(() => process.kill(process.pid, 'SIGTERM'));
      syncBuiltinESMExports();
      setInterval(() => {}, 1000);`;
    const { code, stdout, stderr } = await runToEnd({
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slowStart)}` },
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).not.toContain('Listening');
  });

  const unshare = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
  const canUnshare = spawnSync('unshare', [...unshare.slice(1), 'true']).status === 0;
  // Containers, where this matters, have nobody else who would take the signal.
  (canUnshare ? it : it.skip)(
    'comes in good order when it is the first of its PID namespace',
    async () => {
      const service = await startService({ wrapper: unshare });
      const { pid } = service.process;
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      const exit = ended(service);
      process.kill(Number(children.trim()), 'SIGTERM');
      const { code, stdout } = await exit;
      expect(code).toBe(0);
      expect(recordsOf(stdout).at(-1)).toMatchObject({ msg: 'Stopped' });
    },
  );
});

describe('while it drains', () => {
  it('answers every request of a pipeline, and closes the connection with the last', async () => {
    const { app } = await createTestApp();
    app.get(ConnectionTracker).closeAfterResponse();
    const post =
      'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"ping":"p"}';
    const answers = (await sendRaw(app, post.repeat(3))).split(/(?=HTTP\/1\.1 )/);
    expect(answers.map((answer) => answer.split('\r\n')[0])).toEqual(
      Array(3).fill('HTTP/1.1 200 OK'),
    );
    expect(answers.map((answer) => /\r\nConnection: (.*)\r\n/.exec(answer)?.[1])).toEqual([
      'keep-alive',
      'keep-alive',
      'close',
    ]);
  });
});

describe('LifecycleService', () => {
  it('goes on through its phases, never back', () => {
    const lifecycle = new LifecycleService(new ConnectionTracker());
    expect(lifecycle.phase).toBe('starting');
    lifecycle.enter('draining');
    lifecycle.enter('ready');
    expect(lifecycle.phase).toBe('draining');
    lifecycle.enter('stopped');
    expect(lifecycle.phase).toBe('stopped');
  });
});
