import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import { until } from './until.js';

// A process takes a second to start, and several on a busy machine.
jest.setTimeout(60_000);

/** The built service as a process of its own, listening on the loopback interface. */
export interface Service {
  url: string;
  process: ChildProcess;
  /** What it wrote to standard output and to standard error, when it is gone. */
  stdout: Promise<string>;
  stderr: Promise<string>;
}

/** A process that is over. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** How to run `node dist/main.js`. */
export interface Run {
  /** Settings; of the tests' own environment it gets the path alone. */
  env?: Record<string, string>;
  /** The folder of the project. */
  cwd?: string;
  /** A descriptor for its standard output, in place of a pipe that is read. */
  stdout?: number;
  /** A command, with its arguments, that runs it. */
  wrapper?: string[];
}

const running = new Set<ChildProcess>();

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

function run({ env, cwd, stdout, wrapper = [] }: Run): Omit<Service, 'url'> {
  const [command, ...args] = [...wrapper, process.execPath, 'dist/main.js'];
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', SHUTDOWN_DELAY_MS: '0', ...env },
    stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return {
    process: child,
    stdout: child.stdout ? text(child.stdout) : Promise.resolve(''),
    stderr: child.stderr ? text(child.stderr) : Promise.resolve(''),
  };
}

/** Runs the service where it is expected to end by itself. */
export async function runToEnd(options: Run = {}): Promise<Ended> {
  return ended(run(options));
}

/** Waits until a process is gone. */
export async function ended(child: Omit<Service, 'url'>): Promise<Ended> {
  const { exitCode, signalCode } = child.process;
  const isGone = exitCode !== null || signalCode !== null;
  const [code] = isGone ? [exitCode] : ((await once(child.process, 'exit')) as [number]);
  return { code, stdout: await child.stdout, stderr: await child.stderr };
}

/** Starts the service on a free port and waits until it answers. */
export async function startService(options: Run = {}): Promise<Service> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const service = { url, ...run({ ...options, env: { ...options.env, PORT: String(port) } }) };
  for (;;) {
    if (service.process.exitCode !== null) {
      throw new Error(`The service did not start: ${await service.stderr}`);
    }
    const alive = await fetch(`${url}/system/healthz`).catch(() => undefined);
    if (alive?.ok) return service;
    await setTimeout(20);
  }
}

/** Waits until so many workers serve. */
export async function isWorking(service: Service, count: number): Promise<void> {
  await until(async () => {
    const metrics = await fetch(`${service.url}/metrics`);
    return (await metrics.text()).includes(`petsage_lifecycle_phase{phase="ready"} ${count}\n`);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Ends a service by a signal and waits until it is gone. */
export async function stopService(
  service: Service,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<Ended> {
  service.process.kill(signal);
  return ended(service);
}

/** A pipe to a service's standard output whose other end the test reads when it likes. */
export async function openPipe() {
  const folder = await mkdtemp(join(tmpdir(), 'petsage-pipe-'));
  const path = join(folder, 'pipe');
  await promisify(execFile)('mkfifo', [path]);
  const readable = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writable = openSync(path, 'w');
  await rm(folder, { recursive: true });
  return { readable, writable };
}

/**
 * Asks for an unknown path, which makes a record, again and again on one connection.
 *
 * @param name each request's id is this and its number from 0
 * @param atOnce how many it sends before it waits for their answers
 * @returns how many were answered, when the count is reached or the connection is gone
 */
export async function flood(
  service: Service,
  name: string,
  count: number,
  atOnce = 100,
): Promise<number> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  const gone = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  let sent = 0;
  let answered = 0;
  const sendMore = () => {
    const batch = Math.min(atOnce, count - sent);
    let bytes = '';
    for (let i = 0; i < batch; i++, sent++) {
      bytes += `GET /nope HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${name}${sent}\r\n\r\n`;
    }
    socket.write(bytes);
  };
  socket.setEncoding('latin1');
  let rest = '';
  socket.on('data', (data: string) => {
    const parts = (rest + data).split('{"detail":"Not Found"}');
    rest = parts.pop() ?? '';
    answered += parts.length;
    if (answered === count) socket.destroy();
    else if (answered === sent) sendMore();
  });
  sendMore();
  await gone;
  return answered;
}
