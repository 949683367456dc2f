import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { ExecutionContext } from '@nestjs/common';
import { createTestApp, type LogRecord } from './fixtures/app.js';
import { portOf, send, sendRaw } from './fixtures/http.js';
import {
  flood,
  openPipe,
  runToEnd,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const D = '/v1/health/smoke-test';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const DETAILS = {
  status: 'ok',
  message: 'PetSage service is running and logging is operational.',
  timestamp: expect.stringMatching(ISO_UTC) as string,
};

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-log-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function ask(service: Service, path = D, headers: Record<string, string> = {}) {
  const answer = await fetch(service.url + path, { headers });
  const requestId = answer.headers.get('x-request-id') ?? '';
  return { status: answer.status, body: (await answer.json()) as unknown, requestId };
}

function recordsIn(output: string): LogRecord[] {
  // Every line is one whole record, the last one too.
  const lines = output.split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line) as LogRecord);
}

/** The records of requests by the ids that they were sent with, in the order of the log. */
function idsOf(records: LogRecord[]): string[] {
  return records
    .filter(({ msg }) => msg === 'Request completed')
    .map(({ requestId }) => String(requestId));
}

describe('the records of a request', () => {
  /** Sends a request and gives all the records that it made. */
  async function recordsOf(method: string, path: string, headers: Record<string, string> = {}) {
    const { app, log } = await shared;
    log.length = 0;
    const answer = await send(app, method, path, headers);
    await waitFor(() => log.some(({ msg }) => msg === 'Request completed'));
    return { answer, records: [...log] };
  }

  const shared = (async () => createTestApp())();

  it('are one when it ends, with method, route pattern, status and duration', async () => {
    const { answer, records } = await recordsOf('POST', '/smoke-test?token=hunter2');
    expect(records).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(ISO_UTC) as string,
        service: 'petsage-api',
        version: '1.0.0',
        requestId: answer.headers['x-request-id'],
        context: 'RequestLog',
        method: 'POST',
        route: 'unmatched',
        status: 405,
        durationMs: expect.any(Number) as number,
        msg: 'Request completed',
      },
    ]);
  });

  it('have the pattern of a route that was matched', async () => {
    const { records } = await recordsOf('GET', '/?a=1');
    expect(records).toMatchObject([{ route: '/', status: 200 }]);
  });

  it.each([
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '4bf92f3577b34da6a3ce929d0e0e4736'],
    [
      'cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more',
      '4bf92f3577b34da6a3ce929d0e0e4736',
    ],
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more', undefined],
    ['ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', undefined],
    ['00-00000000000000000000000000000000-00f067aa0ba902b7-01', undefined],
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01', undefined],
    ['00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01', undefined],
    ['hello', undefined],
  ])('traceparent %s gives them the trace id %s', async (traceparent, traceId) => {
    const { records } = await recordsOf('GET', '/nope', { traceparent });
    expect(records).toHaveLength(1);
    expect(records[0]?.traceId).toBe(traceId);
  });

  it('say so when the client cut it off', async () => {
    const { app, log } = await shared;
    log.length = 0;
    const socket = connect(portOf(app), '127.0.0.1');
    socket.write(
      'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{',
    );
    await once(app.getHttpServer(), 'request');
    socket.destroy();
    await waitFor(() => log.length > 0);
    expect(log).toMatchObject([{ msg: 'Request cut off', route: '/api/v1/system/smoke-test' }]);
    expect(log[0]).not.toHaveProperty('status');
  });

  it('are made for each request behind one that is cut off', async () => {
    const { app, log } = await createTestApp({
      prepare(unready) {
        // Answers never.
        unready.useGlobalGuards({ canActivate: () => new Promise(() => undefined) });
      },
    });
    const socket = connect(portOf(app), '127.0.0.1');
    const ask = (path: string, id: string) =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\n\r\n`;
    let asked = 0;
    app.getHttpServer().on('request', () => (asked += 1));
    socket.write(ask('/', 'first') + ask('/nope', 'second') + ask('/nope', 'third'));
    await waitFor(() => asked === 3);
    socket.destroy();
    await waitFor(() => log.length === 3);
    expect(log).toMatchObject(
      ['first', 'second', 'third'].map((requestId) => ({
        requestId,
        msg: 'Request cut off',
      })),
    );
  });

  it('are made for what Node’s parser refuses, and for documents that are not there', async () => {
    const { app, log } = await shared;
    log.length = 0;
    await sendRaw(app, 'hello\r\n\r\n');
    await send(app, 'GET', '/docs/nope');
    await waitFor(() => log.length === 2);
    expect(log).toMatchObject([
      { route: 'unmatched', status: 400, requestId: expect.stringMatching(UUID) as string },
      { route: 'unmatched', status: 404 },
    ]);
  });

  it('say so when an error broke the answer off, and not that the client did', async () => {
    const { app, log } = await createTestApp({
      prepare(unready) {
        unready.useGlobalGuards({
          canActivate: (context: ExecutionContext) => {
            context.switchToHttp().getResponse<ServerResponse>().write('half an answ');
            throw new Error('unforeseen');
          },
        });
      },
    });
    await expect(send(app, 'GET', '/')).rejects.toThrow('aborted');
    await waitFor(() => log.length === 2);
    expect(log).toMatchObject([
      { context: 'ErrorFilter', err: { message: 'unforeseen' } },
      { context: 'RequestLog', level: 'error', msg: 'Request broken off by an error' },
    ]);
  });

  it('are none for probes and documents that are answered well', async () => {
    const { app, log } = await shared;
    log.length = 0;
    for (const path of [
      '/api/v1/smoke-test',
      '/system/healthz/',
      '/smoke-test?a=1',
      '/docs',
      '/docs/swagger-ui.css',
      '/openapi.json',
      '/openapi.yaml',
    ]) {
      await send(app, 'GET', path);
    }
    await send(app, 'POST', '/api/v1/system/smoke-test');
    // Records come in the order of the requests, so this one's comes after any of those.
    await send(app, 'GET', '/nope');
    await waitFor(() => log.length > 0);
    expect(log).toMatchObject([{ status: 404 }]);
  });

  it('are there for a probe that is answered 500', async () => {
    const { app, log } = await createTestApp({
      prepare(unready) {
        unready.useGlobalGuards({
          canActivate: () => {
            throw new Error('unforeseen');
          },
        });
      },
    });
    await send(app, 'GET', '/system/healthz');
    await waitFor(() => log.length > 1);
    expect(log).toMatchObject([
      { level: 'error', err: { message: 'unforeseen' } },
      { level: 'error', msg: 'Request completed', route: '/system/healthz', status: 500 },
    ]);
  });
});

describe('1,000 requests to D, 50 at a time', () => {
  it('make exactly 1,000 records, each with the id of its response', async () => {
    const file = join(folder, 'thousand.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const ids: string[] = [];
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        for (let i = 0; i < 20; i++) {
          const answer = await ask(service);
          expect(answer).toMatchObject({ status: 200, body: DETAILS });
          ids.push(answer.requestId);
        }
      }),
    );
    // Each answer is proof: nothing is left to be flushed.
    const output = await readFile(file, 'utf8');
    await stopService(service);
    const records = recordsIn(output).filter(({ event }) => event === 'smoke_test_executed');
    expect(records).toHaveLength(1000);
    expect(new Set(records.map(({ requestId }) => requestId))).toEqual(new Set(ids));
    expect(new Set(ids).size).toBe(1000);
    for (const record of records) {
      expect(record).toEqual({
        level: 'info',
        time: expect.stringMatching(ISO_UTC) as string,
        service: 'petsage-api',
        version: '1.0.0',
        requestId: expect.stringMatching(UUID) as string,
        context: 'SmokeTestService',
        event: 'smoke_test_executed',
        status: 'success',
        details: 'Log pipeline verification.',
        msg: 'Executing PetSage smoke test.',
      });
    }
  });

  it.each(['error', 'silent'])('makes its record under LOG_LEVEL %s too', async (level) => {
    const file = join(folder, `${level}.log`);
    const service = await startService({ env: { LOG_FILE: file, LOG_LEVEL: level } });
    const { status, requestId } = await ask(service);
    await ask(service, '/nope');
    await stopService(service);
    expect(status).toBe(200);
    expect(recordsIn(await readFile(file, 'utf8'))).toMatchObject([
      { requestId, msg: 'Executing PetSage smoke test.' },
    ]);
  });
});

describe('standard output on a full disk', () => {
  it('makes D 503 with the reason, and nothing else', async () => {
    const full = openSync('/dev/full', 'w');
    const service = await startService({ stdout: full });
    closeSync(full);
    for (let i = 0; i < 3; i++) {
      expect(await ask(service)).toMatchObject({
        status: 503,
        body: { detail: 'The log destination rejected the record: ENOSPC' },
      });
      expect(await ask(service, '/system/healthz')).toMatchObject({ status: 200 });
    }
    expect(await stopService(service)).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('standard output on a pipe', () => {
  it('that nobody reads makes D 503 and holds nothing else up; a reader gets all but what is counted as dropped', async () => {
    const { readable, writable } = await openPipe();
    // With a small heap garbage is collected early: what is measured is what is held.
    const env = { NODE_OPTIONS: '--max-old-space-size=64 --max-semi-space-size=8' };
    const service = await startService({ stdout: writable, env });
    closeSync(writable);
    const memory = async () => {
      const status = await readFile(`/proc/${service.process.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    };

    // Fills the pipe, which holds 64 KiB, and some of what may wait.
    expect(await flood(service, 'fill-', 1000)).toBe(1000);
    const proof = ask(service);
    const late = new Promise((resolve) => setTimeout(resolve, 2000, 'later than twice the limit'));
    const answer = Promise.race([proof, late]);
    let answers = 0;
    const alive = async () => {
      const { status } = await ask(service, '/system/healthz');
      if (status === 200) answers += 1;
    };
    while ((await Promise.race([answer.then(() => 'over'), alive()])) !== 'over');
    expect(await answer).toMatchObject({
      status: 503,
      body: { detail: 'The log destination did not accept the record within 1000 ms' },
    });
    // Had liveness waited for the log, it would have been answered once.
    expect(answers).toBeGreaterThan(10);

    // 100,000 records are some 22 MB, of which 4 MiB may wait.
    await flood(service, 'warm-', 20_000);
    const before = await memory();
    expect(await flood(service, 'flood-', 100_000)).toBe(100_000);
    expect(await memory()).toBeLessThan(before + 16);
    const dropped = await ask(service);
    expect(dropped).toMatchObject({
      status: 503,
      body: { detail: 'The record was dropped: the log backlog is full' },
    });

    const output = text(new Socket({ fd: readable, readable: true, writable: false }));
    let calls = 2;
    await waitFor(async () => {
      calls += 1;
      return (await ask(service)).status === 200;
    });
    await stopService(service);
    const records = recordsIn(await output);
    const ids = idsOf(records);
    for (const name of ['fill-', 'warm-', 'flood-']) {
      const numbers = ids
        .filter((id) => id.startsWith(name))
        .map((id) => Number(id.slice(name.length)));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    const reports = records.filter(({ msg }) => String(msg).startsWith('Log records were dropped'));
    const missing = reports.reduce((sum, record) => sum + Number(record.dropped), 0);
    const proofs = records.filter(({ event }) => event === 'smoke_test_executed');
    expect(reports).not.toEqual([]);
    expect(proofs.map(({ requestId }) => requestId)).not.toContain(dropped.requestId);
    // Each request of the floods made a record, each call of D one, and each 503 of D one more.
    expect(ids.length + proofs.length + missing).toBe(121_000 + calls + (calls - 1));
  }, 240_000);

  it('whose reader is gone makes D 503, and the process lives', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    expect(await ask(service)).toMatchObject({ status: 200 });
    closeSync(readable);
    for (let i = 0; i < 3; i++) {
      expect(await ask(service)).toMatchObject({
        status: 503,
        body: { detail: 'The log destination rejected the record: EPIPE' },
      });
      expect(await ask(service, '/nope')).toMatchObject({ status: 404 });
      expect(await ask(service, '/system/healthz')).toMatchObject({ status: 200 });
    }
    expect(await stopService(service)).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('standard output on a terminal', () => {
  it('is for a person to read', async () => {
    // A port that is taken ends the process by itself, after its start has been logged.
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port) };
    const command = `'${process.execPath}' dist/main.js`;
    const failure = await promisify(execFile)('script', ['-qec', command, '/dev/null'], { env })
      .then(() => undefined)
      .catch((error: unknown) => error as { code: number; stdout: string });
    server.close();
    expect(failure?.code).toBe(1);
    expect(failure?.stdout).toMatch(/^\S+ .*INFO.*: .*Starting Nest application/m);
    expect(failure?.stdout).toContain('(EADDRINUSE)');
    expect(failure?.stdout).not.toContain('{"level"');
  });
});

describe('LOG_FILE', () => {
  it('that cannot be opened ends the start with a sentence', async () => {
    const file = join(folder, 'none/x.log');
    expect(await runToEnd({ env: { LOG_FILE: file } })).toEqual({
      code: 1,
      stdout: '',
      stderr: `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(file)} (ENOENT). Unset it to log to standard output.\n`,
    });
  });

  it('that is a pipe ends the start with a sentence: its reader could hold the process up', async () => {
    const file = join(folder, 'fifo.log');
    await promisify(execFile)('mkfifo', [file]);
    expect(await runToEnd({ env: { LOG_FILE: file } })).toEqual({
      code: 1,
      stdout: '',
      stderr: `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(file)} (a pipe). Unset it to log to standard output.\n`,
    });
  });

  it('works again after a refusal that filled the backlog, and accounts for what was dropped', async () => {
    const file = join(folder, 'limited.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const limit = (bytes: string) =>
      promisify(execFile)('prlimit', [`--pid=${service.process.pid}`, `--fsize=${bytes}`]);
    await limit('8192:unlimited');
    expect(await flood(service, 'full-', 30_000)).toBe(30_000);
    expect(await ask(service)).toMatchObject({
      status: 503,
      body: {
        detail: 'The record was dropped: the log backlog is full (last error: EFBIG)',
      },
    });
    await limit('unlimited:unlimited');
    let calls = 1;
    await waitFor(async () => {
      calls += 1;
      return (await ask(service)).status === 200;
    });
    await stopService(service);
    const records = recordsIn(await readFile(file, 'utf8'));
    const dropped = records.reduce((sum, record) => sum + Number(record.dropped ?? 0), 0);
    const proofs = records.filter(({ event }) => event === 'smoke_test_executed');
    expect(dropped).toBeGreaterThan(0);
    expect(idsOf(records).length + proofs.length + dropped).toBe(30_000 + calls + (calls - 1));
  });

  it('takes the records of 200 clients at once without a loss', async () => {
    const file = join(folder, 'clients.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const loads = Array.from({ length: 200 }, (_, n) => flood(service, `client${n}-`, 200, 1));
    expect(await Promise.all(loads)).toEqual(Array.from({ length: 200 }, () => 200));
    await stopService(service);
    const records = recordsIn(await readFile(file, 'utf8'));
    expect(new Set(idsOf(records)).size).toBe(40_000);
    expect(records.filter(({ dropped }) => dropped !== undefined)).toEqual([]);
  });

  it('is moved away and opened anew on SIGHUP under load without losing a record', async () => {
    const file = join(folder, 'rotated.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const loads = ['a-', 'b-', 'c-', 'd-'].map((name) => flood(service, name, 5000));
    const isReopened = async () => (await readFile(file, 'utf8').catch(() => '')) !== '';
    const moved: string[] = [];
    for (let n = 0; n < 5; n++) {
      const old = `${file}.${n}`;
      await rename(file, old);
      moved.push(old);
      service.process.kill('SIGHUP');
      await waitFor(isReopened);
    }
    expect(await Promise.all(loads)).toEqual([5000, 5000, 5000, 5000]);
    await stopService(service);
    const outputs = await Promise.all([...moved, file].map((path) => readFile(path, 'utf8')));
    const ids = idsOf(outputs.flatMap(recordsIn));
    expect(new Set(ids).size).toBe(20_000);
    expect(ids).toHaveLength(20_000);
  });

  it('stays where it is when it cannot be opened anew, and the log says why', async () => {
    const place = await mkdtemp(join(folder, 'gone-'));
    const file = join(place, 'x.log');
    const service = await startService({ env: { LOG_FILE: file } });
    await rename(place, `${place}-moved`);
    service.process.kill('SIGHUP');
    await waitFor(async () => (await readFile(`${place}-moved/x.log`, 'utf8')).includes('ENOENT'));
    expect(await ask(service)).toMatchObject({ status: 200 });
    await stopService(service);
  });
});

describe('the end of the process', () => {
  it('leaves no record behind on SIGTERM under load', async () => {
    const file = join(folder, 'term.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const loads = ['a-', 'b-', 'c-'].map((name) => flood(service, name, 1_000_000));
    await waitFor(async () => (await readFile(file, 'utf8')).split('\n').length > 2000);
    const { code, stderr } = await stopService(service);
    expect([code, stderr]).toEqual([0, '']);
    const ids = new Set(idsOf(recordsIn(await readFile(file, 'utf8'))));
    const answered = await Promise.all(loads);
    expect(Math.min(...answered)).toBeGreaterThan(0);
    for (const [i, count] of answered.entries()) {
      const name = ['a-', 'b-', 'c-'][i];
      const lost = Array.from({ length: count }, (_, n) => `${name}${n}`).filter(
        (id) => !ids.has(id),
      );
      expect(lost).toEqual([]);
    }
  });

  it('leaves the record of the last request, though the client cuts it off', async () => {
    const file = join(folder, 'last.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.write(
      'POST /api/v1/system/smoke-test HTTP/1.1\r\nHost: a\r\nX-Request-Id: last\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    );
    await once(socket, 'data');
    const ended = stopService(service);
    await waitFor(async () => (await readFile(file, 'utf8')).includes('SIGTERM: draining'));
    socket.destroy();
    expect(await ended).toMatchObject({ code: 0 });
    expect(recordsIn(await readFile(file, 'utf8'))).toContainEqual(
      expect.objectContaining({ requestId: 'last', msg: 'Request cut off' }),
    );
  });

  it('waits for a reader that comes back, and leaves nothing behind', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    expect(await flood(service, 'late-', 25_000)).toBe(25_000);
    const ended = stopService(service);
    const output = text(new Socket({ fd: readable, readable: true, writable: false }));
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
    const records = recordsIn(await output);
    const dropped = records.reduce((sum, record) => sum + Number(record.dropped ?? 0), 0);
    expect(dropped).toBeGreaterThan(0);
    // That it drains and has stopped are records too, which may be dropped as any other.
    const ending = records.filter(({ msg }) => /^(SIGTERM: draining|Stopped)/.test(String(msg)));
    expect(idsOf(records).length + ending.length + dropped).toBe(25_000 + 2);
  });

  it('does not wait for one that does not', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    expect(await flood(service, 'never-', 1000)).toBe(1000);
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    closeSync(readable);
  });

  it('by an error that nobody caught is logged as fatal, and has code 1', async () => {
    const bomb = 'process.on("SIGUSR2", () => { throw new Error("nobody caught this"); })';
    const service = await startService({
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bomb)}` },
    });
    const { code, stdout } = await stopService(service, 'SIGUSR2');
    expect(code).toBe(1);
    expect(recordsIn(stdout).at(-1)).toMatchObject({
      level: 'fatal',
      context: 'Main',
      err: {
        message: 'nobody caught this',
        stack: expect.stringContaining('\n    at ') as string,
      },
    });
  });
});

describe('what a client sends', () => {
  it('is not in the log', async () => {
    const service = await startService({ env: { LOG_LEVEL: 'trace' } });
    const headers = {
      'Content-Type': 'application/json',
      Authorization: 'Bearer hunter2',
      Cookie: 'session=hunter2',
      'User-Agent': 'hunter2',
    };
    const bodies = ['{"ping":"hunter2"}', '{"ping":["hunter2"]}', '"hunter2', '{"hunter2":1}'];
    for (const path of ['/api/v1/system/smoke-test', '/hunter2', '/smoke-test']) {
      for (const body of bodies) {
        await fetch(`${service.url}${path}?token=hunter2`, { method: 'POST', headers, body });
      }
    }
    await ask(service, `${D}?token=hunter2`, headers);
    const { stdout } = await stopService(service);
    expect(recordsIn(stdout).filter(({ context }) => context === 'RequestLog')).toHaveLength(8);
    expect(stdout).not.toContain('hunter2');
  });
});
