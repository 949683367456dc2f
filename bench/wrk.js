// Generates load with wrk.
import { join } from 'node:path';
import { CLIENT_CORE, run } from './machine.js';
import { LIVENESS_PATH, readCpuSeconds } from './server.js';
import { roundDigits } from './statistics.js';

/** @typedef {import('./server.js').Server} Server */

const PATHS = { get: LIVENESS_PATH, post: '/api/v1/system/smoke-test' };

/** @typedef {keyof typeof PATHS} Scenario */

export const SCENARIOS = /** @type {Scenario[]} */ (Object.keys(PATHS));

/**
 * The result of one run of wrk. Latencies are in microseconds, CPU shares are of one core.
 *
 * @typedef {object} Load
 * @property {number} requests
 * @property {number} requestsPerSecond
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} timeouts responses that took longer than 2 seconds, which are not in the percentiles
 * @property {number} errors connection errors, and responses with a status of 400 or higher
 * @property {number} serverCpuShare
 * @property {number} clientCpuShare
 * @property {number} cpuUsPerRequest the server's CPU time per request, in microseconds
 */

/**
 * Loads a server with one of the two requests.
 *
 * @param {Server} server
 * @param {Scenario} scenario
 * @param {{ seconds: number, connections: number }} options
 * @returns {Promise<Load>}
 */
export async function measureLoad(server, scenario, options) {
  const cpuBefore = readCpuSeconds(server);
  const { seconds, clientCpuSeconds, ...measured } = await runWrk(
    server.url + PATHS[scenario],
    'wrk.lua',
    { ...options, argument: scenario },
  );
  const cpuSeconds = readCpuSeconds(server) - cpuBefore;
  return {
    ...measured,
    requestsPerSecond: roundDigits(measured.requests / seconds),
    serverCpuShare: roundDigits(cpuSeconds / seconds),
    clientCpuShare: roundDigits(clientCpuSeconds / seconds),
    cpuUsPerRequest: roundDigits((cpuSeconds * 1e6) / measured.requests),
  };
}

/**
 * Runs wrk with one thread on the client's core.
 *
 * @param {string} url
 * @param {string} script a Lua script of this directory that prints JSON as its last line
 * @param {{ seconds: number, connections: number, argument: string }} options
 * @returns {Promise<any>} the JSON that the script printed
 */
export async function runWrk(url, script, { seconds, connections, argument }) {
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`];
  const scriptPath = join(import.meta.dirname, script);
  const { stdout } = await run('taskset', [
    ...['-c', CLIENT_CORE, ...wrk],
    ...['-s', scriptPath, url, '--', argument],
  ]);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}
