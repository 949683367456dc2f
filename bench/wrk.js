// Generates load with wrk.
import { join } from 'node:path';
import { CLIENT_CORE, run } from './machine.js';
import { LIVENESS_PATH, readCpuSeconds } from './server.js';
import { roundDigits } from './statistics.js';

/** @typedef {import('./server.js').Server} Server */

/**
 * A request, and the status of its response. wrk only distinguishes whether it is 400 or higher.
 *
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {string} [json] the body; COUNTER in it is replaced by a number that differs in each request
 * @property {string} [token]
 * @property {string[]} [ids] appended to the path, in turn
 * @property {number} status
 */

/** @typedef {'get' | 'post'} Scenario */

/** @type {Record<Scenario, Request>} */
export const REQUESTS = {
  get: { method: 'GET', path: LIVENESS_PATH, status: 200 },
  post: {
    method: 'POST',
    path: '/api/v1/system/smoke-test',
    json: '{"ping":"How is the cat today?"}',
    status: 200,
  },
};

export const SCENARIOS = /** @type {Scenario[]} */ (Object.keys(REQUESTS));

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
 * @property {number} errors connection errors, and unexpected responses
 * @property {number} serverCpuShare
 * @property {number} clientCpuShare
 * @property {number} cpuUsPerRequest the server's CPU time per request, in microseconds
 */

/**
 * Loads a server with one kind of request.
 *
 * @param {Server} server
 * @param {Request} request
 * @param {{ seconds: number, connections: number }} options
 * @returns {Promise<Load>}
 */
export async function measureLoad(
  server,
  { method, path, json = '', token = '', ids = [], status },
  options,
) {
  const cpuBefore = readCpuSeconds(server);
  const { seconds, clientCpuSeconds, connectionErrors, errorResponses, ...measured } = await runWrk(
    server.url + path,
    'wrk.lua',
    { ...options, args: [method, json, token, ids.join(',')] },
  );
  const cpuSeconds = readCpuSeconds(server) - cpuBefore;
  const unexpected = status < 400 ? errorResponses : measured.requests - errorResponses;
  return {
    ...measured,
    errors: connectionErrors + unexpected,
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
 * @param {{ seconds: number, connections: number, args: string[] }} options
 * @returns {Promise<any>} the JSON that the script printed
 */
export async function runWrk(url, script, { seconds, connections, args }) {
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`];
  const scriptPath = join(import.meta.dirname, script);
  const { stdout } = await run('taskset', [
    ...['-c', CLIENT_CORE, ...wrk],
    ...['-s', scriptPath, url, '--', ...args],
  ]);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

/**
 * @param {string} name
 * @param {Load} load
 */
export function formatLoad(name, { requestsPerSecond, serverCpuShare, clientCpuShare }) {
  const [server, client] = [serverCpuShare, clientCpuShare].map((share) => Math.round(share * 100));
  return `${name} ${Math.round(requestsPerSecond)}/s, server ${server}% and wrk ${client}% of a core`;
}
