// Load by wrk, and what the server paid for it.
import { join } from 'node:path';
import { CLIENT_CORE, cpuSecondsOf, LIVENESS, run } from './processes.js';

/** The paths of the two scenarios. */
export const SCENARIOS = /** @type {const} */ ({
  get: LIVENESS,
  post: '/api/v1/system/smoke-test',
});

export const scenarios = /** @type {Scenario[]} */ (Object.keys(SCENARIOS));

/** A server that used less of its core was not what limited the load. */
export const BUSY = 0.9;

/** A load generator that used more of its core may have been what limited the load. */
export const SATURATED = 0.95;

/** @typedef {keyof typeof SCENARIOS} Scenario */

/**
 * What one run of wrk measured. Latencies are in microseconds.
 *
 * @typedef {object} Load
 * @property {number} requests
 * @property {number} seconds
 * @property {number} rate requests per second
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} serverShare the CPU time that the server used, as a share of one core
 * @property {number} clientShare the same of wrk
 * @property {number} cpuPerRequest the server's CPU time for a request, in microseconds
 * @property {Record<'connect' | 'read' | 'write' | 'timeout' | 'status', number>} errors
 */

/**
 * Puts load on a server.
 *
 * @param {import('./processes.js').Server} server
 * @param {Scenario} scenario
 * @param {{ seconds: number, connections: number, cores?: string }} options
 * @returns {Promise<Load>}
 */
export async function putLoad(server, scenario, options) {
  const { seconds, connections, cores = CLIENT_CORE } = options;
  const before = cpuSecondsOf(server);
  const measured = /** @type {Load & { clientCpu: number }} */ (
    await runWrk(`${server.url}${SCENARIOS[scenario]}`, {
      script: 'wrk.lua',
      args: [scenario],
      seconds,
      connections,
      cores,
    })
  );
  const cpu = cpuSecondsOf(server) - before;
  const { clientCpu, errors, ...rest } = measured;
  return {
    ...rest,
    rate: measured.requests / measured.seconds,
    serverShare: cpu / measured.seconds,
    clientShare: clientCpu / measured.seconds,
    cpuPerRequest: (cpu * 1e6) / measured.requests,
    errors,
  };
}

/**
 * Runs wrk with one thread.
 *
 * @param {string} url
 * @param {object} options
 * @param {string} options.script a script of this folder, which prints JSON as its last line
 * @param {string[]} options.args what the script gets
 * @param {number} options.seconds
 * @param {number} options.connections
 * @param {string} [options.cores] where wrk may run
 * @returns {Promise<unknown>} what the script printed
 */
export async function runWrk(url, { script, args, seconds, connections, cores = CLIENT_CORE }) {
  const output = await run([
    ...['taskset', '-c', cores, 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`],
    ...['-s', join(import.meta.dirname, script), url, '--', ...args],
  ]);
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '');
}
