// Processes: started on a core, watched through /proc, and never left behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { availableParallelism, constants } from 'node:os';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

/** The core that has the server alone. */
export const SERVER_CORE = '0';

/** The core of the load generator and of this process, which sleeps while wrk runs. */
export const CLIENT_CORE = '1';

/** Every core. */
export const ALL_CORES = `0-${availableParallelism() - 1}`;

/** How long a server may take until it answers, in milliseconds. */
const START_LIMIT_MS = 30_000;

/** /proc counts CPU time in hundredths of a second, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** An end that is not a bug of the benchmark: what to do is in the message. */
export class Refusal extends Error {}

/**
 * @typedef {object} Server
 * @property {number} pid
 * @property {number} port
 * @property {string} url
 * @property {number} startMs from its spawn to its first 200
 * @property {() => Promise<void>} stop
 */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

process.on('exit', () => {
  for (const child of running) kill(child);
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

/** @param {import('node:child_process').ChildProcess} child */
function kill(child) {
  if (child.pid === undefined) return;
  try {
    // It leads a group of its own, so this reaches what it has started as well.
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/**
 * Starts a command that ends at the latest when this process does.
 *
 * @param {string[]} command
 * @param {import('node:child_process').SpawnOptions} options
 */
function start([file = '', ...args], options) {
  const child = spawn(file, args, { ...options, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/**
 * Runs a command to its end.
 *
 * @param {string[]} command
 * @param {{ cwd?: string }} [options]
 * @returns {Promise<string>} what it wrote to standard output
 * @throws Error with what it wrote, when it fails or cannot be run
 */
export async function run(command, options = {}) {
  const child = start(command, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('Expected pipes');
  const [[code], out, errors] = await Promise.all([
    once(child, 'close'),
    text(stdout),
    text(stderr),
  ]);
  if (code !== 0) {
    throw new Error(`${command.join(' ')} failed (${code}):\n${`${errors}${out}`.trim()}`);
  }
  return out;
}

/**
 * What a command says, undefined when there is no such command or it fails.
 *
 * @param {string[]} command
 */
export async function tryRun(command) {
  return run(command).catch(() => undefined);
}

/**
 * Refuses to go on where something is missing, and takes this process off the server's core.
 *
 * @throws Refusal
 */
export async function prepareMachine() {
  if (process.platform !== 'linux') throw new Refusal('The benchmark needs Linux: it reads /proc.');
  if ((await tryRun(['which', 'wrk'])) === undefined) {
    throw new Refusal("wrk was not found. Install it: Debian's package is wrk.");
  }
  if ((await tryRun(['which', 'taskset'])) === undefined) {
    throw new Refusal("taskset was not found. Install it: Debian's package is util-linux.");
  }
  if (availableParallelism() < 2) {
    throw new Refusal('The benchmark needs two cores: one for the server, one for wrk.');
  }
  await run(['taskset', '-acp', CLIENT_CORE, String(process.pid)]);
}

/**
 * Keeps idle cores from sleeping for as long as this process runs, where it may. On a virtual machine
 * waking a core costs the one that wakes it some 20 µs, which a server would pay with each answer, or
 * not, by chance.
 *
 * @returns how they idle now
 */
export function keepAwake() {
  try {
    writeSync(openSync('/dev/cpu_dma_latency', 'w'), new Int32Array([0]));
    return 'polling (0 in /dev/cpu_dma_latency)';
  } catch {
    return 'as they do: run it as root for steadier numbers';
  }
}

/**
 * Starts a server and waits for its first 200 on the liveness route.
 *
 * @param {string[]} command
 * @param {object} [options]
 * @param {string} [options.cores] where it may run
 * @param {Record<string, string>} [options.env] what it gets beside PORT and HOST
 * @param {boolean} [options.readsLog] whether its standard output is a pipe that is read, not /dev/null
 * @returns {Promise<Server>}
 */
export async function startServer(command, options = {}) {
  const { cores = SERVER_CORE, env = {}, readsLog = false } = options;
  const port = await freePort();
  const began = performance.now();
  // taskset becomes the server: nothing stays in between.
  const child = start(['taskset', '-c', cores, ...command], {
    // No .env file is there.
    cwd: import.meta.dirname,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORT: String(port),
      HOST: '127.0.0.1',
      ...env,
    },
    stdio: ['ignore', readsLog ? 'pipe' : 'ignore', 'pipe'],
  });
  child.stdout?.resume();
  let errors = '';
  child.stderr?.on('data', (data) => (errors = `${errors}${data}`.slice(-4000)));
  const exited = once(child, 'exit');
  const stop = async () => {
    kill(child);
    await exited;
  };
  const isUp = async () => (await ask(port, 'GET', LIVENESS)).status === 200;
  while (!(await isUp().catch(() => false))) {
    const isLate = performance.now() - began > START_LIMIT_MS;
    if (isLate) await stop();
    if (child.exitCode !== null || child.signalCode !== null || isLate) {
      throw new Error(`${command.join(' ')} did not start: ${errors.trim()}`);
    }
    await setTimeout(2);
  }
  const startMs = performance.now() - began;
  return { pid: child.pid ?? 0, port, url: `http://127.0.0.1:${port}`, startMs, stop };
}

/** The route that every peer has. */
export const LIVENESS = '/system/healthz';

/**
 * One request on a connection of its own.
 *
 * @param {number} port
 * @param {string} method
 * @param {string} path
 * @param {string} [body] JSON
 * @returns {Promise<{ status: number, headers: import('node:http').IncomingHttpHeaders, body: string }>}
 */
export async function ask(port, method, path, body) {
  const outgoing = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    signal: AbortSignal.timeout(5000),
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
  });
  outgoing.end(body);
  const [response] = /** @type {[import('node:http').IncomingMessage]} */ (
    await once(outgoing, 'response')
  );
  const { statusCode = 0, headers } = response;
  return { status: statusCode, headers, body: await text(response) };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('Expected a port');
  return address.port;
}

/**
 * A process and all that it has started.
 *
 * @param {number} pid
 * @returns {number[]}
 */
function familyOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...children.split(' ').filter(Boolean).map(Number).flatMap(familyOf)];
}

/**
 * The CPU time that a server has used, all of its threads and processes, in seconds.
 *
 * @param {Server} server
 */
export function cpuSecondsOf({ pid }) {
  const ticks = familyOf(pid).map((member) => {
    // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th after it.
    const fields = readFileSync(`/proc/${member}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return sum(ticks) / TICKS_PER_SECOND;
}

/**
 * What is resident of a server and all that it started, in MiB.
 *
 * @param {Server} server
 */
export function residentMbOf(server) {
  return memoryOf(server, 'VmRSS');
}

/**
 * The most that ever was.
 *
 * @param {Server} server
 */
export function peakMbOf(server) {
  return memoryOf(server, 'VmHWM');
}

/**
 * @param {Server} server
 * @param {string} name
 */
function memoryOf({ pid }, name) {
  const sizes = familyOf(pid).map((member) => {
    const status = readFileSync(`/proc/${member}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  });
  return sum(sizes) / 1024;
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
