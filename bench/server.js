// Starts servers and reads their CPU time and memory from /proc.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { findFreePort } from '../test/fixtures/free-port.js';
import { SERVER_CORE } from './machine.js';

/** The liveness route, which every server implements. */
export const LIVENESS_PATH = '/system/healthz';

/** The time between the first response and the reading of the idle memory. */
export const SETTLE_MS = 1000;

const START_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 2;

/** The unit of CPU times in /proc, the same on every architecture that Node.js supports. */
const CLOCK_TICKS_PER_SECOND = 100;

/**
 * @typedef {object} Server
 * @property {import('node:child_process').ChildProcess} child
 * @property {string} url
 * @property {number} startMs time from spawn to the first 200 response
 * @property {() => Promise<void>} stop kills the server
 */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

/**
 * Starts a server on its core and waits for its first 200 response. It is killed when this process
 * exits.
 *
 * @param {{ command: string[], features?: number }} peer
 * @param {import('node:child_process').StdioOptions} [stdio]
 * @returns {Promise<Server>}
 */
export async function startServer(
  { command, features = 0 },
  stdio = ['ignore', 'ignore', 'inherit'],
) {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  // taskset replaces itself with the server, so `child` is the server.
  const child = spawn('taskset', ['-c', SERVER_CORE, ...command], {
    // A directory without a .env file.
    cwd: import.meta.dirname,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORT: String(port),
      HOST: '127.0.0.1',
      FEATURES: String(features),
    },
    stdio,
  });
  running.add(child);
  const exited = once(child, 'exit').then(() => running.delete(child));
  while (!(await isLive(url))) {
    const isLate = performance.now() - startedAt > START_TIMEOUT_MS;
    if (isLate || !running.has(child)) {
      child.kill('SIGKILL');
      throw new Error(`${command.join(' ')} did not start.`);
    }
    await setTimeout(POLL_INTERVAL_MS);
  }
  return {
    child,
    url,
    startMs: performance.now() - startedAt,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** @param {string} url */
async function isLive(url) {
  try {
    const response = await fetch(url + LIVENESS_PATH, { signal: AbortSignal.timeout(5000) });
    await response.text();
    return response.status === 200;
  } catch {
    return false;
  }
}

/**
 * Reads the CPU time that all threads of a server have used, in seconds.
 *
 * @param {Server} server
 */
export function readCpuSeconds({ child }) {
  const [utime, stime] = readCpuFields(`/proc/${child.pid}/stat`);
  return utime + stime;
}

/** Reads the CPU time of all ended child processes of this process, in seconds. */
export function readEndedChildrenCpuSeconds() {
  const [, , cutime, cstime] = readCpuFields('/proc/self/stat');
  return cutime + cstime;
}

/**
 * @param {string} path
 * @returns {[utime: number, stime: number, cutime: number, cstime: number]} in seconds
 */
function readCpuFields(path) {
  // The process name, in parentheses, may contain spaces. The CPU times are fields 12 to 15 after it.
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const [utime = NaN, stime = NaN, cutime = NaN, cstime = NaN] = fields
    .slice(11, 15)
    .map((ticks) => Number(ticks) / CLOCK_TICKS_PER_SECOND);
  return [utime, stime, cutime, cstime];
}

/**
 * Reads the resident memory of a server, in MiB.
 *
 * @param {Server} server
 */
export function readResidentMib({ child }) {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
