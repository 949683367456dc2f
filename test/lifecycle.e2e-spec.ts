import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import request from 'supertest';
import { openSocket, openUpload, parseResponses, sendRaw } from './fixtures/http.js';
import { type LogRecord, parseLog } from './fixtures/log-records.js';
import {
  type Exit,
  createPreloadOption,
  runService,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const LIVENESS = '{"status":"ok","message":"PetSage API is alive and running!"}';
const DRAINING = '{"status":"draining","checks":{}}';
// No test waits for this time: a shutdown that does exceeds the time limit of the test.
const VERY_LONG_MS = '600000';

/** The result of one request: the response, or the error code of the connection. */
interface Outcome {
  status?: number;
  body?: string;
  connection?: string;
  error?: string;
}

async function send(url: string, agent: Agent | false, body?: string): Promise<Outcome> {
  try {
    const sent = httpRequest(url, {
      agent,
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'Content-Type': 'application/json' },
    }).end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const { statusCode: status, headers } = response;
    return { status, body: await text(response), connection: headers.connection };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code };
  }
}

/** Repeats a request until connections are refused, and collects the outcomes. */
function repeat(url: string, agent: Agent | false = false, body?: string) {
  const outcomes: Outcome[] = [];
  const run = async () => {
    for (;;) {
      const outcome = await send(url, agent, body);
      if (outcome.error === 'ECONNREFUSED') return;
      outcomes.push(outcome);
    }
  };
  return { outcomes, isRefused: run() };
}

/** Opens a connection again and again, each time after the last one closed, until it is refused. */
async function reconnect(service: Service, use: (socket: Socket) => void): Promise<void> {
  for (;;) {
    const socket = await openSocket(service).catch(() => undefined);
    if (socket === undefined) return;
    use(socket);
    if (!socket.closed) await new Promise((resolve) => socket.resume().once('close', resolve));
  }
}

function findProblems({ stdout }: Exit): LogRecord[] {
  return parseLog(stdout).filter(({ level }) => level !== 'info');
}

function waitForDraining(service: Service): Promise<void> {
  return waitFor(async () => {
    const response = await request(service.url).get('/system/readyz');
    return response.text === DRAINING;
  });
}

describe('SIGTERM', () => {
  // Repeated, because a race may lose a request in some of the runs.
  it.each([
    [500, 1],
    [500, 2],
    [500, 3],
    [0, 1],
    [0, 2],
  ])('loses no request under load with SHUTDOWN_DELAY_MS=%i, run %i', async (delayMs) => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: String(delayMs) } });
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    const livenessUrl = `${service.url}/system/healthz`;
    const echoUrl = `${service.url}/api/v1/system/smoke-test`;
    const clients = Array.from({ length: 50 }, (_, i) =>
      i % 2 ? repeat(livenessUrl, agent) : repeat(echoUrl, agent, '{"ping":"pet"}'),
    );
    const liveness = repeat(livenessUrl);
    const readiness = repeat(`${service.url}/system/readyz`);
    const uploads = await Promise.all(
      Array.from({ length: 5 }, () => openUpload(service, '{"ping":"pet"}'.length)),
    );
    await waitFor(() =>
      [...clients, liveness, readiness].every(({ outcomes }) => outcomes.length > 0),
    );

    service.process.kill('SIGTERM');
    await Promise.all([...clients, liveness, readiness].map(({ isRefused }) => isRefused));
    agent.destroy();
    for (const upload of uploads) upload.write('{"ping":"pet"}');
    const responses = await Promise.all(uploads.map((upload) => text(upload)));
    const exit = await service.exit;

    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(findProblems(exit)).toEqual([]);
    for (const [response] of responses.map(parseResponses)) {
      expect(response).toMatchObject({
        status: 200,
        headers: expect.arrayContaining(['Connection: close']) as string[],
        body: expect.stringContaining('"pong":"pet"') as string,
      });
    }
    const outcomes = clients.flatMap((client) => client.outcomes);
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([]);
    expect(liveness.outcomes.filter(({ body }) => body !== LIVENESS)).toEqual([]);
    const firstDraining = readiness.outcomes.findIndex(({ status }) => status !== 200);
    const whileDraining = firstDraining < 0 ? [] : readiness.outcomes.slice(firstDraining);
    for (const outcome of whileDraining) {
      expect(outcome).toEqual({ status: 503, body: DRAINING, connection: 'close' });
    }
  });

  it('completes a request while other clients disconnect', async () => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: '300' } });
    const upload = await openUpload(service, '{"ping":"pet"}'.length);
    const head = 'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\n';
    const clients = [
      reconnect(service, (socket) => {
        socket.write('GET /smoke-test HTTP/1.1\r\nHost: a\r\n\r\n');
        socket.once('data', () => socket.resetAndDestroy());
      }),
      reconnect(service, (socket) => socket.end(`${head}Content-Length: 9\r\n\r\n{`)),
      reconnect(service, (socket) =>
        socket.end(`${head}Transfer-Encoding: chunked\r\n\r\nno chunk`),
      ),
    ];
    service.process.kill('SIGTERM');
    await Promise.all(clients);
    upload.write('{"ping":"pet"}');
    expect(parseResponses(await text(upload))).toMatchObject([{ status: 200 }]);
    const exit = await service.exit;
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(findProblems(exit)).toEqual([]);
  });

  it('exits even if clients reconnect and never complete a request', async () => {
    const service = await startService({ env: { SHUTDOWN_TIMEOUT_MS: '0' } });
    const head = 'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{';
    const clients = Array.from({ length: 20 }, () =>
      reconnect(service, (socket) => socket.write(head)),
    );
    await waitFor(async () => {
      const metrics = await request(service.url).get('/metrics');
      return metrics.text.includes('http_requests_in_flight 21\n');
    });
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    await Promise.all(clients);
  });

  it('makes readiness fail and closes each connection after its response', async () => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: VERY_LONG_MS } });
    service.process.kill('SIGTERM');
    await waitForDraining(service);
    for (const [path, status, body] of [
      ['/system/readyz', 503, DRAINING],
      ['/system/healthz', 200, LIVENESS],
    ] as const) {
      const received = await sendRaw(service, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const headers = expect.arrayContaining(['Connection: close']) as string[];
      expect(parseResponses(received)).toEqual([{ status, headers, body }]);
    }
    await request(service.url)
      .get('/metrics')
      .expect(200, /^petsage_lifecycle_phase\{phase="draining"\} 1$/m);
    await stopService(service);
  });

  it('closes idle connections', async () => {
    const service = await startService({ env: { SHUTDOWN_TIMEOUT_MS: VERY_LONG_MS } });
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(service)));
    for (const socket of sockets.slice(10)) {
      socket.write('GET /system/healthz HTTP/1.1\r\nHost: a\r\n\r\n');
      await once(socket, 'data');
    }
    const halfSent = await openSocket(service);
    halfSent.write('GET /system/healthz HTTP/1.1\r\nHo');
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
  });

  it('aborts requests that exceed SHUTDOWN_TIMEOUT_MS, and logs their number', async () => {
    const service = await startService({ env: { SHUTDOWN_TIMEOUT_MS: '300' } });
    const uploads = await Promise.all([openUpload(service, 9), openUpload(service, 9)]);
    const received = uploads.map((upload) => text(upload).catch(() => ''));
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    const records = parseLog(stdout).filter(({ context }) => context === 'Shutdown');
    expect(records.map(({ level, msg, aborted }) => [level, msg, aborted])).toEqual([
      ['info', 'SIGTERM: draining, the listener closes in 0 ms', undefined],
      ['warn', 'Requests were aborted after 300 ms', 2],
      ['info', 'Stopped', undefined],
    ]);
    expect(await Promise.all(received)).toEqual(['', '']);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('ends the process at once when followed by %s', async (signal, expectedCode) => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: VERY_LONG_MS } });
    service.process.kill('SIGTERM');
    await waitForDraining(service);
    const { code, stdout } = await stopService(service, signal);
    expect(code).toBe(expectedCode);
    expect(parseLog(stdout).at(-1)).toMatchObject({
      msg: `Second signal (${signal}): exiting immediately`,
    });
  });

  it('ends the process during start-up with code 0', async () => {
    const signalDuringStartUp = `
      import fs from 'node:fs/promises';
      import { syncBuiltinESMExports } from 'node:module';
      fs.readdir = () => new Promise(() => process.kill(process.pid, 'SIGTERM'));
      syncBuiltinESMExports();
      setInterval(() => {}, 1000);`;
    const { code, stdout, stderr } = await runService({
      env: { NODE_OPTIONS: createPreloadOption(signalDuringStartUp) },
    });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).not.toContain('Listening');
  });

  const unshare = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
  const canUnshare = spawnSync('unshare', [...unshare.slice(1), 'true']).status === 0;
  // As in a container, where signals have no default action. Requires unshare and /proc.
  (canUnshare ? it : it.skip)('shuts down gracefully as PID 1', async () => {
    const service = await startService({ wrapper: unshare });
    const { pid } = service.process;
    const childPid = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    process.kill(Number(childPid), 'SIGTERM');
    const { code, stdout } = await service.exit;
    expect(code).toBe(0);
    expect(parseLog(stdout).at(-1)).toMatchObject({ msg: 'Stopped' });
  });
});

describe('SIGINT', () => {
  it('skips SHUTDOWN_DELAY_MS', async () => {
    const service = await startService({ env: { SHUTDOWN_DELAY_MS: VERY_LONG_MS } });
    expect(await stopService(service, 'SIGINT')).toMatchObject({ code: 0, stderr: '' });
  });
});
