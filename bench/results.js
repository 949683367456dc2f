// Reads and writes bench/results.json.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

/** @typedef {{ median: number, quartiles: [number, number], n: number }} Statistic */

/**
 * A ratio of rates over `n` rounds. Without a median, too few rounds were usable.
 *
 * @typedef {Partial<Statistic> & { n: number }} Ratio
 */

/**
 * One kind of request to one server. Latencies are in microseconds.
 *
 * @typedef {object} LoadSummary
 * @property {Statistic} requestsPerSecond
 * @property {Ratio} ratioToNodeHttp this server's rate divided by that of node:http
 * @property {Ratio} petsageRatio PetSage's rate divided by this server's
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} cpuUsPerRequest
 */

/**
 * One server. `loadMib`, `get` and `post` are absent when only its start was measured.
 *
 * @typedef {object} ServerSummary
 * @property {string} name
 * @property {string} label
 * @property {Statistic} startMs
 * @property {Statistic} idleMib
 * @property {number} [loadMib]
 * @property {LoadSummary} [get]
 * @property {LoadSummary} [post]
 */

/**
 * The load of PetSage with a certain number of connections.
 *
 * @typedef {{ connections: number, scenario: import('./wrk.js').Scenario } & import('./wrk.js').Load} ConnectionLoad
 */

/**
 * @typedef {object} Settings
 * @property {number} starts
 * @property {number} rounds
 * @property {number} roundSeconds
 * @property {number} rampUpSeconds load before each round, not measured
 * @property {number} warmUpSeconds load before the first round, not measured
 * @property {number} connections
 * @property {number} connectionSeconds load for each number of connections
 */

/**
 * One run of the benchmark.
 *
 * @typedef {object} Run
 * @property {string} date
 * @property {string} command
 * @property {Record<string, string | number>} machine
 * @property {Record<string, string>} versions
 * @property {Settings} settings
 * @property {ServerSummary[]} servers
 * @property {ConnectionLoad[]} connections
 */

const PATH = join(import.meta.dirname, 'results.json');

/**
 * Reads the committed runs.
 *
 * @returns {Promise<Record<string, Run>>} by Node.js version: `node24`
 */
export async function readResults() {
  return JSON.parse(await readFile(PATH, 'utf8'));
}

/**
 * Replaces the run of this Node.js version and keeps the others.
 *
 * @param {Run} run
 */
export async function saveRun(run) {
  const key = `node${process.versions.node.split('.')[0]}`;
  const results = Object.entries({ ...(await readResults()), [key]: run });
  results.sort(([a], [b]) => a.localeCompare(b));
  await writeFormatted(PATH, JSON.stringify(Object.fromEntries(results)));
}

/**
 * Writes a file as Prettier formats it.
 *
 * @param {string} path
 * @param {string} text
 */
export async function writeFormatted(path, text) {
  await writeFile(path, await format(text, { ...(await resolveConfig(path)), filepath: path }));
}
