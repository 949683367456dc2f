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
 * @property {Ratio} ratioToNodeHttp this server's rate divided by node:http's rate
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
 * The latency of a server at a constant rate, in microseconds: medians over `n` rounds. Rounds in which the
 * server did not reach the rate are excluded; there is no latency unless it was reached in more than half
 * of the rounds.
 *
 * @typedef {object} RateLatency
 * @property {string} name
 * @property {string} label
 * @property {import('./wrk.js').Scenario} scenario
 * @property {number} share the share of the maximum rate of Fastify
 * @property {number} rate in requests per second
 * @property {number} reachedRate the median over all rounds
 * @property {number} n
 * @property {number} [p50]
 * @property {number} [p99]
 * @property {number} [p999]
 */

/**
 * One server with a number of features. Rates are compared with the lowest number of features.
 *
 * @typedef {object} FeatureSummary
 * @property {string} name
 * @property {string} label
 * @property {number} features
 * @property {Statistic} startMs
 * @property {Statistic} idleMib
 * @property {Record<string, { requestsPerSecond: Statistic, ratio: Ratio }>} loads by request
 */

/**
 * One server of a stored resource. `rateRatio` is PetSage's requests per second divided by this server's, and
 * `cpuRatio` its requests per CPU time divided by this server's.
 *
 * @typedef {object} ResourceSummary
 * @property {string} name
 * @property {string} label
 * @property {Record<string, {
 *   requestsPerSecond: Statistic,
 *   cpuUsPerRequest: Statistic,
 *   serverCpuShare: Statistic,
 *   rateRatio: Ratio,
 *   cpuRatio: Statistic,
 * }>} loads by request
 */

/**
 * @typedef {object} RoundSettings
 * @property {number} starts
 * @property {number} rounds
 * @property {number} roundSeconds
 * @property {number} rampUpSeconds load before each round, not measured
 * @property {number} warmUpSeconds load before the first round, not measured
 * @property {number} connections
 */

/** @typedef {Omit<RoundSettings, 'starts'> & { starts?: undefined }} ResourceSettings */

/**
 * `connectionSeconds` is the time under load for each number of connections, and `latencySeconds` for each
 * round at a constant rate.
 *
 * @typedef {RoundSettings & {
 *   connectionSeconds: number,
 *   latencyRounds: number,
 *   latencySeconds: number,
 * }} Settings
 */

/**
 * @typedef {object} Environment
 * @property {string} date
 * @property {string} command
 * @property {Record<string, string | number>} machine
 * @property {Record<string, string>} versions
 */

/**
 * One run of the benchmark.
 *
 * @typedef {Environment & {
 *   settings: RoundSettings & Partial<Settings>,
 *   servers: ServerSummary[],
 *   connections: ConnectionLoad[],
 *   latency?: RateLatency[],
 * }} Run
 */

/**
 * One run with several numbers of features.
 *
 * @typedef {Environment & { settings: RoundSettings, servers: FeatureSummary[] }} FeatureRun
 */

/**
 * One run with a stored resource.
 *
 * @typedef {Environment & { settings: ResourceSettings, servers: ResourceSummary[] }} ResourceRun
 */

/**
 * @typedef {object} Results
 * @property {Record<string, Run>} servers
 * @property {Record<string, FeatureRun>} features
 * @property {Record<string, ResourceRun>} [resources]
 */

const PATH = join(import.meta.dirname, 'results.json');

/**
 * Reads the committed runs, which have the version of Node.js as key: `node24`.
 *
 * @returns {Promise<Results>}
 */
export async function readResults() {
  return JSON.parse(await readFile(PATH, 'utf8'));
}

/**
 * Replaces the run of this Node.js version and keeps the others.
 *
 * @template {keyof Results} Kind
 * @param {Kind} kind
 * @param {NonNullable<Results[Kind]>[string]} run
 */
export async function saveRun(kind, run) {
  const results = await readResults();
  const key = `node${process.versions.node.split('.')[0]}`;
  const runs = Object.entries({ ...results[kind], [key]: run });
  runs.sort(([a], [b]) => a.localeCompare(b));
  await writeFormatted(PATH, JSON.stringify({ ...results, [kind]: Object.fromEntries(runs) }));
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
