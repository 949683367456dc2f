import { execFile } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { ExecutionContext } from '@nestjs/common';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { listen, openSocket, openUpload, pipelineRequests, sendRaw } from './fixtures/http.js';
import { describeOnLinux, itOnLinux } from './fixtures/linux.js';
import { type LogRecord, parseLog } from './fixtures/log-records.js';
import {
  openPipe,
  createPreloadOption,
  readResidentMib,
  runService,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { copyBuild } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

const LOG_TEST = '/v1/health/smoke-test';
const LIVENESS = '/system/healthz';
const ECHO = '/api/v1/system/smoke-test';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-log-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

function findRequestIds(records: LogRecord[]): string[] {
  return records
    .filter(({ msg }) => msg === 'Request completed')
    .map(({ requestId }) => String(requestId));
}

function findSmokeTestRecords(records: LogRecord[]): LogRecord[] {
  return records.filter(({ event }) => event === 'smoke_test_executed');
}

/** Sums up the reports of dropped records. */
function countDropped(records: LogRecord[]): number {
  return records.reduce((sum, { dropped }) => sum + Number(dropped ?? 0), 0);
}

/** Sends requests for the log test until it succeeds, and returns how many were sent. */
async function waitForLogTest(service: Service): Promise<number> {
  let count = 0;
  await waitFor(async () => {
    count += 1;
    return (await request(service.url).get(LOG_TEST)).status === 200;
  });
  return count;
}

describe('Request log', () => {
  let app: TestApp['app'];
  let log: LogRecord[];

  beforeAll(async () => {
    ({ app, log } = await createTestApp());
  });

  beforeEach(() => {
    log.length = 0;
  });

  it('contains method, route, status and duration of a request', async () => {
    const { headers } = await request(app.getHttpServer())
      .post('/smoke-test?token=hunter2')
      .expect(405);
    await waitFor(() => log.length > 0);
    expect(log).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(ISO_UTC) as string,
        service: 'petsage-api',
        version: '1.0.0',
        requestId: headers['x-request-id'],
        context: 'RequestLog',
        method: 'POST',
        route: 'unmatched',
        statusCode: 405,
        durationMs: expect.any(Number) as number,
        msg: 'Request completed',
      },
    ]);
  });

  it('contains the pattern of the matched route', async () => {
    await request(app.getHttpServer()).get('/?a=1').expect(200);
    await waitFor(() => log.length > 0);
    expect(log).toMatchObject([{ route: '/', statusCode: 200 }]);
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
  ])('for traceparent %s, contains the trace id %s', async (traceparent, traceId) => {
    await request(app.getHttpServer()).get('/nope').set('traceparent', traceparent).expect(404);
    await waitFor(() => log.length > 0);
    expect(log).toHaveLength(1);
    expect(log[0]?.trace_id).toBe(traceId);
  });

  it('contains requests that the client aborts, without a status', async () => {
    const socket = await openUpload(app, 9);
    socket.destroy();
    await waitFor(() => log.length > 0);
    expect(log).toMatchObject([{ msg: 'Request aborted', route: ECHO }]);
    expect(log[0]).not.toHaveProperty('statusCode');
  });

  it('contains each pipelined request of a connection that the client closes', async () => {
    const { app, log } = await createTestApp({
      prepare: (app) => {
        app.useGlobalGuards({ canActivate: () => new Promise(() => undefined) });
      },
    });
    let received = 0;
    app.getHttpServer().on('request', () => (received += 1));
    const socket = await openSocket(app);
    for (const [id, path] of [
      ['first', '/'],
      ['second', '/nope'],
      ['third', '/nope'],
    ]) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\n\r\n`);
    }
    await waitFor(() => received === 3);
    socket.destroy();
    await waitFor(() => log.length === 3);
    expect(log).toMatchObject([
      { requestId: 'first', msg: 'Request aborted' },
      { requestId: 'second', msg: 'Request aborted' },
      { requestId: 'third', msg: 'Request aborted' },
    ]);
  });

  it('contains malformed requests and requests for documents that do not exist', async () => {
    await sendRaw(app, 'hello\r\n\r\n');
    await request(app.getHttpServer()).get('/docs/nope').expect(404);
    await waitFor(() => log.length === 2);
    expect(log).toMatchObject([
      { route: 'unmatched', statusCode: 400, requestId: expect.stringMatching(UUID) as string },
      { route: 'unmatched', statusCode: 404 },
    ]);
  });

  it('contains responses that an error interrupts', async () => {
    const { app, log } = await createTestApp({
      prepare: (app) => {
        app.useGlobalGuards({
          canActivate: (context: ExecutionContext) => {
            context.switchToHttp().getResponse<ServerResponse>().write('half a respon');
            throw new Error('unforeseen');
          },
        });
      },
    });
    await expect(request(app.getHttpServer()).get('/')).rejects.toThrow('aborted');
    await waitFor(() => log.length === 2);
    expect(log).toMatchObject([
      { context: 'ErrorFilter', err: { message: 'unforeseen' } },
      {
        context: 'RequestLog',
        level: 'error',
        msg: 'Request failed after the response had started',
      },
    ]);
  });

  it('does not contain successful probes and documents', async () => {
    for (const path of [
      '/api/v1/smoke-test',
      '/system/healthz/',
      '/smoke-test?a=1',
      '/docs',
      '/docs/swagger-ui.css',
      '/openapi.json',
      '/openapi.yaml',
    ]) {
      await request(app.getHttpServer()).get(path);
    }
    await request(app.getHttpServer()).post(ECHO);
    // Records are written in the order of the requests, so this one would be the last.
    await request(app.getHttpServer()).get('/nope');
    await waitFor(() => log.length > 0);
    expect(log).toMatchObject([{ statusCode: 404 }]);
  });

  it('contains probes that fail with 500', async () => {
    const { app, log } = await createTestApp({
      prepare: (app) => {
        app.useGlobalGuards({
          canActivate: () => {
            throw new Error('unforeseen');
          },
        });
      },
    });
    await request(app.getHttpServer()).get(LIVENESS).expect(500);
    await waitFor(() => log.length > 1);
    expect(log).toMatchObject([
      { level: 'error', err: { message: 'unforeseen' } },
      { level: 'error', msg: 'Request completed', route: LIVENESS, statusCode: 500 },
    ]);
  });

  it('does not contain what clients send', async () => {
    // In a process, because nestjs-pino has one log level per process.
    const service = await startService({ env: { LOG_LEVEL: 'trace' } });
    const headers = {
      'Content-Type': 'application/json',
      Authorization: 'Bearer hunter2',
      Cookie: 'session=hunter2',
      'User-Agent': 'hunter2',
    };
    const bodies = ['{"ping":"hunter2"}', '{"ping":["hunter2"]}', '"hunter2', '{"hunter2":1}'];
    for (const path of [ECHO, '/hunter2', '/smoke-test']) {
      for (const body of bodies) {
        await request(service.url).post(`${path}?token=hunter2`).set(headers).send(body);
      }
    }
    await request(service.url).get(`${LOG_TEST}?token=hunter2`).set(headers).expect(200);
    const { stdout } = await stopService(service);
    const requestRecords = parseLog(stdout).filter(({ context }) => context === 'RequestLog');
    expect(requestRecords).toHaveLength(8);
    expect(stdout).not.toContain('hunter2');
  });
});

describe(`GET ${LOG_TEST}`, () => {
  it('writes one record per request under load, with the request id of the response', async () => {
    const { app, log } = await createTestApp();
    const requestIds: string[] = [];
    const sendRequests = async () => {
      for (let i = 0; i < 20; i++) {
        const response = await request(app.getHttpServer()).get(LOG_TEST).expect(200);
        requestIds.push(String(response.headers['x-request-id']));
      }
    };
    await Promise.all(Array.from({ length: 50 }, sendRequests));
    const records = findSmokeTestRecords(log);
    expect(records).toHaveLength(1000);
    expect(new Set(records.map(({ requestId }) => requestId))).toEqual(new Set(requestIds));
    expect(new Set(requestIds).size).toBe(1000);
  });

  it.each(['error', 'silent'])('writes its record with LOG_LEVEL=%s', async (level) => {
    const file = join(folder, `${level}.log`);
    const service = await startService({ env: { LOG_FILE: file, LOG_LEVEL: level } });
    const { headers } = await request(service.url).get(LOG_TEST).expect(200);
    // The response is sent after the record is written.
    expect(parseLog(await readFile(file, 'utf8'))).toMatchObject([
      { requestId: headers['x-request-id'], msg: 'Executing PetSage smoke test.' },
    ]);
    await request(service.url).get('/nope').expect(404);
    await stopService(service);
    expect(parseLog(await readFile(file, 'utf8'))).toHaveLength(1);
  });

  // Needs /dev/full.
  itOnLinux('returns 503 while the disk is full', async () => {
    const full = openSync('/dev/full', 'w');
    const service = await startService({ stdout: full });
    closeSync(full);
    for (let i = 0; i < 3; i++) {
      await request(service.url)
        .get(LOG_TEST)
        .expect(503, { detail: 'The log destination rejected the record: ENOSPC' });
      await request(service.url).get(LIVENESS).expect(200);
    }
    expect(await stopService(service)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  // Needs mkfifo.
  itOnLinux('returns 503 after the reader of the pipe has exited', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    await request(service.url).get(LOG_TEST).expect(200);
    closeSync(readable);
    for (let i = 0; i < 3; i++) {
      await request(service.url)
        .get(LOG_TEST)
        .expect(503, { detail: 'The log destination rejected the record: EPIPE' });
      await request(service.url).get('/nope').expect(404);
      await request(service.url).get(LIVENESS).expect(200);
    }
    expect(await stopService(service)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  // Needs mkfifo and /proc.
  itOnLinux(
    'returns 503 while the reader of the pipe is stalled, and recovers when it continues',
    async () => {
      const { readable, writable } = await openPipe();
      // A small heap is collected often, so that the resident memory shows what is retained.
      const env = { NODE_OPTIONS: '--max-old-space-size=64 --max-semi-space-size=8' };
      const service = await startService({ stdout: writable, env });
      closeSync(writable);

      // Fills the pipe, which holds 64 KiB, and a part of the backlog.
      expect(await pipelineRequests(service, 'fill-', 1000)).toBe(1000);
      await request(service.url)
        .get(LOG_TEST)
        .expect(503, { detail: 'The log destination did not accept the record within 1000 ms' });
      await request(service.url).get(LIVENESS).expect(200);

      // 100,000 records are about 22 MB. The backlog holds 4 MiB.
      expect(await pipelineRequests(service, 'warm-up-', 20_000)).toBe(20_000);
      const residentMib = await readResidentMib(service);
      expect(await pipelineRequests(service, 'flood-', 100_000)).toBe(100_000);
      expect(await readResidentMib(service)).toBeLessThan(residentMib + 16);
      const dropped = await request(service.url)
        .get(LOG_TEST)
        .expect(503, { detail: 'The record was dropped: the log backlog is full' });
      await request(service.url).get(LIVENESS).expect(200);

      const output = text(new Socket({ fd: readable, readable: true, writable: false }));
      const attempts = 2 + (await waitForLogTest(service));
      await stopService(service);
      const records = parseLog(await output);
      const requestIds = findRequestIds(records);
      for (const prefix of ['fill-', 'warm-up-', 'flood-']) {
        const numbers = requestIds
          .filter((id) => id.startsWith(prefix))
          .map((id) => Number(id.slice(prefix.length)));
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        expect(new Set(numbers).size).toBe(numbers.length);
      }
      const smokeTests = findSmokeTestRecords(records);
      expect(smokeTests.map(({ requestId }) => requestId)).not.toContain(
        dropped.headers['x-request-id'],
      );
      expect(countDropped(records)).toBeGreaterThan(0);
      // Each of the 121,000 requests and each attempt writes a record, each failed attempt two.
      expect(requestIds.length + smokeTests.length + countDropped(records)).toBe(
        121_000 + attempts + (attempts - 1),
      );
    },
    240_000,
  );
});

describe('Standard output on a terminal', () => {
  // Needs the `script` command of util-linux.
  itOnLinux('is formatted for reading', async () => {
    // A port in use makes the process exit by itself, after its first log records.
    const server = createServer();
    const PORT = String(await listen(server));
    const env = { PATH: process.env.PATH, HOST: '127.0.0.1', PORT };
    const command = `'${process.execPath}' dist/main.js`;
    const options = { env, cwd: await copyBuild() };
    const exit = await promisify(execFile)('script', ['-qec', command, '/dev/null'], options).catch(
      (error: unknown) => error as { code: number; stdout: string },
    );
    server.close();
    expect(exit).toMatchObject({ code: 1 });
    expect(exit.stdout).toMatch(/^\S+ .*INFO.*: .*Starting Nest application/m);
    expect(exit.stdout).toContain('(EADDRINUSE)');
    expect(exit.stdout).not.toContain('{"level"');
  });
});

describe('LOG_FILE', () => {
  it('aborts start-up when the file cannot be opened', async () => {
    const file = join(folder, 'none/x.log');
    expect(await runService({ env: { LOG_FILE: file } })).toEqual({
      code: 1,
      stdout: '',
      stderr: `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(file)} (ENOENT). Unset it to log to standard output.\n`,
    });
  });

  // Needs mkfifo.
  itOnLinux('aborts start-up when the file is a pipe', async () => {
    const file = join(folder, 'fifo.log');
    await promisify(execFile)('mkfifo', [file]);
    expect(await runService({ env: { LOG_FILE: file } })).toEqual({
      code: 1,
      stdout: '',
      stderr: `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(file)} (a pipe). Unset it to log to standard output.\n`,
    });
  });

  it('contains every record of 200 concurrent clients', async () => {
    const file = join(folder, 'clients.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const counts = await Promise.all(
      Array.from({ length: 200 }, (_, n) => pipelineRequests(service, `client${n}-`, 200, 1)),
    );
    expect(counts).toEqual(Array.from({ length: 200 }, () => 200));
    await stopService(service);
    const records = parseLog(await readFile(file, 'utf8'));
    expect(new Set(findRequestIds(records)).size).toBe(40_000);
    expect(countDropped(records)).toBe(0);
  });

  it('contains every record when it is rotated under load', async () => {
    const file = join(folder, 'rotated.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const loads = ['a-', 'b-', 'c-', 'd-'].map((prefix) => pipelineRequests(service, prefix, 5000));
    const isReopened = async () => (await readFile(file, 'utf8').catch(() => '')) !== '';
    const files = [file];
    for (let n = 1; n <= 5; n++) {
      await rename(file, `${file}.${n}`);
      files.push(`${file}.${n}`);
      service.process.kill('SIGHUP');
      await waitFor(isReopened);
    }
    expect(await Promise.all(loads)).toEqual([5000, 5000, 5000, 5000]);
    await stopService(service);
    const outputs = await Promise.all(files.map((path) => readFile(path, 'utf8')));
    const requestIds = findRequestIds(outputs.flatMap(parseLog));
    expect(new Set(requestIds).size).toBe(20_000);
    expect(requestIds).toHaveLength(20_000);
  });

  it('stays open when it cannot be reopened, until the next SIGHUP', async () => {
    const parent = await mkdtemp(join(folder, 'parent-'));
    const file = join(parent, 'x.log');
    const service = await startService({ env: { LOG_FILE: file } });
    await rename(parent, `${parent}-moved`);
    const readOldFile = () => readFile(`${parent}-moved/x.log`, 'utf8');
    service.process.kill('SIGHUP');
    await waitFor(async () => (await readOldFile()).includes('ENOENT'));
    const { headers } = await request(service.url).get(LOG_TEST).expect(200);
    expect(await readOldFile()).toContain(headers['x-request-id']);

    await mkdir(parent);
    service.process.kill('SIGHUP');
    await waitFor(() =>
      readFile(file).then(
        () => true,
        () => false,
      ),
    );
    const { headers: later } = await request(service.url).get(LOG_TEST).expect(200);
    expect(await readFile(file, 'utf8')).toContain(later['x-request-id']);
    await stopService(service);
  });

  // prlimit limits the size of the file: a write fails with EFBIG, as it would on a full disk.
  describeOnLinux('while its disk is full', () => {
    async function limitFileSize(service: Service, bytes: number | 'unlimited'): Promise<void> {
      const args = [`--pid=${service.process.pid}`, `--fsize=${bytes}:unlimited`];
      await promisify(execFile)('prlimit', args);
    }

    it('drops and counts records that exceed the backlog, and recovers', async () => {
      const file = join(folder, 'limited.log');
      const service = await startService({ env: { LOG_FILE: file } });
      await limitFileSize(service, 8192);
      expect(await pipelineRequests(service, 'full-', 30_000)).toBe(30_000);
      await request(service.url).get(LOG_TEST).expect(503, {
        detail: 'The record was dropped: the log backlog is full (last error: EFBIG)',
      });
      await limitFileSize(service, 'unlimited');
      const attempts = 1 + (await waitForLogTest(service));
      await stopService(service);
      const records = parseLog(await readFile(file, 'utf8'));
      const requestIds = findRequestIds(records);
      const smokeTests = findSmokeTestRecords(records);
      expect(countDropped(records)).toBeGreaterThan(0);
      // Each request and each attempt writes a record, each failed attempt two.
      expect(requestIds.length + smokeTests.length + countDropped(records)).toBe(
        30_000 + attempts + (attempts - 1),
      );
    });

    it('can be rotated, and the new file starts with a whole record', async () => {
      const file = join(folder, 'full.log');
      const service = await startService({ env: { LOG_FILE: file } });
      await limitFileSize(service, 8192);
      expect(await pipelineRequests(service, 'full-', 100)).toBe(100);
      await request(service.url)
        .get(LOG_TEST)
        .expect(503, { detail: 'The log destination rejected the record: EFBIG' });
      await rename(file, `${file}.1`);
      service.process.kill('SIGHUP');
      await waitFor(async () => (await readFile(file, 'utf8').catch(() => '')) !== '');
      await limitFileSize(service, 'unlimited');
      await waitForLogTest(service);
      await stopService(service);
      const oldOutput = await readFile(`${file}.1`, 'utf8');
      // The file ends within a record.
      expect(oldOutput).toHaveLength(8192);
      const oldRecords = parseLog(oldOutput.slice(0, oldOutput.lastIndexOf('\n') + 1));
      const newRecords = parseLog(await readFile(file, 'utf8'));
      const requestIds = findRequestIds([...oldRecords, ...newRecords]);
      expect(requestIds.filter((id) => id.startsWith('full-'))).toEqual(
        Array.from({ length: 100 }, (_, n) => `full-${n}`),
      );
    });
  });
});

describe('Exit', () => {
  it('writes the record of every response before it exits on SIGTERM under load', async () => {
    const file = join(folder, 'term.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const prefixes = ['a-', 'b-', 'c-'];
    const loads = prefixes.map((prefix) => pipelineRequests(service, prefix, 1_000_000));
    await waitFor(async () => (await readFile(file, 'utf8')).split('\n').length > 2000);
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    const logged = new Set(findRequestIds(parseLog(await readFile(file, 'utf8'))));
    const counts = await Promise.all(loads);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    const responded = counts.flatMap((count, i) =>
      Array.from({ length: count }, (_, n) => `${prefixes[i]}${n}`),
    );
    expect(responded.filter((id) => !logged.has(id))).toEqual([]);
  });

  it('writes the record of the last request, even if the client aborts it', async () => {
    const file = join(folder, 'last.log');
    const service = await startService({ env: { LOG_FILE: file } });
    const socket = await openUpload(service, 9, { headers: 'X-Request-Id: last\r\n' });
    const exit = stopService(service);
    await waitFor(async () => (await readFile(file, 'utf8')).includes('SIGTERM: draining'));
    socket.destroy();
    expect(await exit).toMatchObject({ code: 0 });
    expect(parseLog(await readFile(file, 'utf8'))).toContainEqual(
      expect.objectContaining({ requestId: 'last', msg: 'Request aborted' }),
    );
  });

  // Needs mkfifo.
  itOnLinux('waits for a stalled reader that continues', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    expect(await pipelineRequests(service, 'late-', 25_000)).toBe(25_000);
    const exit = stopService(service);
    const output = text(new Socket({ fd: readable, readable: true, writable: false }));
    expect(await exit).toMatchObject({ code: 0, stderr: '' });
    const records = parseLog(await output);
    expect(countDropped(records)).toBeGreaterThan(0);
    // The two records of the exit may be dropped like any other.
    const exitRecords = records.filter(({ msg }) =>
      /^(SIGTERM: draining|Stopped)/.test(String(msg)),
    );
    const written = findRequestIds(records).length + exitRecords.length;
    expect(written + countDropped(records)).toBe(25_000 + 2);
  });

  // Needs mkfifo.
  itOnLinux('does not wait forever for a stalled reader', async () => {
    const { readable, writable } = await openPipe();
    const service = await startService({ stdout: writable });
    closeSync(writable);
    expect(await pipelineRequests(service, 'never-', 1000)).toBe(1000);
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    closeSync(readable);
  });

  it('logs an uncaught exception as fatal and exits with code 1', async () => {
    const source = 'process.on("SIGUSR2", () => { throw new Error("uncaught"); })';
    const service = await startService({ env: { NODE_OPTIONS: createPreloadOption(source) } });
    const { code, stdout } = await stopService(service, 'SIGUSR2');
    expect(code).toBe(1);
    expect(parseLog(stdout).at(-1)).toMatchObject({
      level: 'fatal',
      context: 'Main',
      err: { message: 'uncaught', stack: expect.stringContaining('\n    at ') as string },
    });
  });
});
