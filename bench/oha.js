// Generates load at a constant rate with oha.
import { CLIENT_CORE, run } from './machine.js';
import { readEndedChildrenCpuSeconds } from './server.js';

/**
 * The result of one run of oha. Latencies are in microseconds. They start when the request is due,
 * including the time that it waits for a free connection.
 *
 * @typedef {object} RateLoad
 * @property {number} requestsPerSecond responses per second
 * @property {number} errors connection errors, and unexpected responses
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} clientCpuShare of one core
 */

/** Reads the version of oha. Returns undefined if it is not installed. */
export async function readOhaVersion() {
  try {
    const { stdout } = await run('oha', ['--version']);
    return stdout.replace('oha', '').trim();
  } catch {
    return undefined;
  }
}

/**
 * Sends requests at a constant rate, whether or not the server keeps up.
 *
 * @param {import('./server.js').Server} server
 * @param {import('./wrk.js').Request} request
 * @param {{ rate: number, seconds: number, connections: number }} options
 * @returns {Promise<RateLoad>}
 */
export async function measureLatency(server, request, { rate, seconds, connections }) {
  const { method, path, json, status } = request;
  const cpuBefore = readEndedChildrenCpuSeconds();
  const { stdout } = await run('taskset', [
    ...['-c', CLIENT_CORE, 'oha', '--no-tui', '--output-format', 'json', '--worker-threads', '1'],
    ...['-q', String(rate), '--latency-correction', '-z', `${seconds}s`, '-c', String(connections)],
    // Without -w, oha aborts the last requests.
    ...['-w', '--disable-compression', '-m', method],
    ...(json ? ['-T', 'application/json', '-d', json] : []),
    server.url + path,
  ]);
  const { latencyPercentiles, statusCodeDistribution, errorDistribution } = JSON.parse(stdout);
  const responses = sumValues(statusCodeDistribution);
  const expected = statusCodeDistribution[status] ?? 0;
  return {
    requestsPerSecond: expected / seconds,
    errors: responses - expected + sumValues(errorDistribution),
    p50: latencyPercentiles.p50 * 1e6,
    p99: latencyPercentiles.p99 * 1e6,
    p999: latencyPercentiles['p99.9'] * 1e6,
    clientCpuShare: (readEndedChildrenCpuSeconds() - cpuBefore) / seconds,
  };
}

/** @param {Record<string, number>} counts */
function sumValues(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
