// Reduces the samples of a benchmark to medians, quartiles and ratios.

/** @typedef {import('./wrk.js').Load} Load */
/** @typedef {import('./oha.js').RateLoad} RateLoad */
/** @typedef {import('./results.js').FeatureSummary} FeatureSummary */
/** @typedef {import('./results.js').LoadSummary} LoadSummary */
/** @typedef {import('./results.js').ServerSummary} ServerSummary */
/** @typedef {import('./results.js').Statistic} Statistic */

/** If the server used a lower share of its core, something else limited the rate. */
export const MIN_SERVER_CPU_SHARE = 0.9;

/** If wrk or oha used a higher share of its core, it may have limited the rate. */
export const MAX_CLIENT_CPU_SHARE = 0.95;

/** If fewer requests than this share of the constant rate were completed, the rate was not reached. */
export const MIN_RATE_REACHED = 0.99;

/**
 * The samples of one server: one `startMs` and `idleMib` per start, one load per round.
 *
 * @typedef {{ startMs: number[], idleMib: number[], loadMib?: number, get: Load[], post: Load[] }} Samples
 */

/**
 * The samples of one server with a number of features: one load per round for each request.
 *
 * @typedef {object} FeatureSamples
 * @property {string} name
 * @property {string} label
 * @property {number} features
 * @property {number[]} startMs
 * @property {number[]} idleMib
 * @property {Record<string, Load[]>} loads
 */

/**
 * Summarizes the samples of all servers.
 *
 * @param {({ name: string, label: string } & Samples)[]} servers
 * @returns {ServerSummary[]}
 */
export function summarizeServers(servers) {
  const nodeHttp = servers.find(({ name }) => name === 'node-http');
  const petsage = servers.find(({ name }) => name === 'petsage');
  if (!nodeHttp || !petsage) throw new Error('Every run measures node-http and petsage.');
  return servers.map((server) => {
    const { name, label, startMs, idleMib, loadMib } = server;
    const start = { name, label, startMs: summarize(startMs), idleMib: summarize(idleMib) };
    if (loadMib === undefined) return start;
    return {
      ...start,
      loadMib: roundDigits(loadMib),
      get: summarizeLoads(server.get, nodeHttp.get, petsage.get),
      post: summarizeLoads(server.post, nodeHttp.post, petsage.post),
    };
  });
}

/**
 * Summarizes the samples of servers with several numbers of features.
 *
 * @param {FeatureSamples[]} servers
 * @returns {FeatureSummary[]}
 */
export function summarizeFeatures(servers) {
  const lowest = Math.min(...servers.map(({ features }) => features));
  return servers.map(({ name, label, features, startMs, idleMib, loads }) => {
    const base = servers.find((other) => other.name === name && other.features === lowest);
    return {
      name,
      label,
      features,
      startMs: summarize(startMs),
      idleMib: summarize(idleMib),
      loads: Object.fromEntries(
        Object.entries(loads).map(([request, samples]) => [
          request,
          {
            requestsPerSecond: summarize(samples.map((load) => load.requestsPerSecond)),
            ratio: compareRates(samples, base?.loads[request] ?? []),
          },
        ]),
      ),
    };
  });
}

/**
 * Summarizes the samples of servers of a stored resource. All rounds count for the CPU time per request, which does not
 * depend on what limited the rate.
 *
 * @param {{ name: string, label: string, loads: Record<string, Load[]> }[]} servers
 * @returns {import('./results.js').ResourceSummary[]}
 */
export function summarizeResources(servers) {
  const petsage = servers.find(({ name }) => name === 'petsage');
  if (!petsage) throw new Error('Every run measures petsage.');
  return servers.map(({ name, label, loads }) => ({
    name,
    label,
    loads: Object.fromEntries(
      Object.entries(loads).map(([request, samples]) => {
        /** @param {(load: Load, ofPetsage: Load) => number} getValue */
        const summarizeRounds = (getValue) =>
          summarize(
            samples.map((load, round) => getValue(load, petsage.loads[request]?.[round] ?? load)),
          );
        return [
          request,
          {
            requestsPerSecond: summarizeRounds((load) => load.requestsPerSecond),
            cpuUsPerRequest: summarizeRounds((load) => load.cpuUsPerRequest),
            serverCpuShare: summarizeRounds((load) => load.serverCpuShare),
            rateRatio: compareRates(petsage.loads[request] ?? [], samples),
            cpuRatio: summarizeRounds(
              (load, ofPetsage) => load.cpuUsPerRequest / ofPetsage.cpuUsPerRequest,
            ),
          },
        ];
      }),
    ),
  }));
}

/**
 * Summarizes the rounds of one server at a constant rate.
 *
 * @param {RateLoad[]} loads
 * @param {number} rate
 */
export function summarizeLatency(loads, rate) {
  const reached = loads.filter(
    ({ errors, requestsPerSecond, clientCpuShare }) =>
      errors === 0 &&
      requestsPerSecond >= rate * MIN_RATE_REACHED &&
      clientCpuShare <= MAX_CLIENT_CPU_SHARE,
  );
  const percentiles = /** @type {const} */ (['p50', 'p99', 'p999']).map((name) => [
    name,
    roundDigits(median(reached.map((load) => load[name]))),
  ]);
  return {
    reachedRate: roundDigits(median(loads.map((load) => load.requestsPerSecond))),
    n: reached.length,
    ...(reached.length * 2 > loads.length && Object.fromEntries(percentiles)),
  };
}

/**
 * @param {Load[]} loads
 * @param {Load[]} nodeHttp
 * @param {Load[]} petsage
 * @returns {LoadSummary}
 */
function summarizeLoads(loads, nodeHttp, petsage) {
  return {
    requestsPerSecond: summarize(loads.map((load) => load.requestsPerSecond)),
    ratioToNodeHttp: compareRates(loads, nodeHttp),
    petsageRatio: compareRates(petsage, loads),
    p50: roundDigits(median(loads.map((load) => load.p50))),
    p99: roundDigits(median(loads.map((load) => load.p99))),
    p999: roundDigits(median(loads.map((load) => load.p999))),
    cpuUsPerRequest: roundDigits(median(loads.map((load) => load.cpuUsPerRequest))),
  };
}

/**
 * Summarizes the ratios of two servers' rates, one ratio per round. Rounds in which anything but the
 * server limited one of the rates are excluded. `median` and `quartiles` are absent unless more than
 * half of the rounds count.
 *
 * @param {Load[]} loads
 * @param {Load[]} base
 * @returns {import('./results.js').Ratio}
 */
function compareRates(loads, base) {
  const ratios = loads.flatMap((load, i) => {
    const other = base[i];
    if (!other || !isLimitedByServer(load) || !isLimitedByServer(other)) return [];
    return [load.requestsPerSecond / other.requestsPerSecond];
  });
  return ratios.length * 2 > loads.length ? summarize(ratios) : { n: ratios.length };
}

/** @param {Load} load */
function isLimitedByServer({ timeouts, errors, serverCpuShare, clientCpuShare }) {
  return (
    timeouts + errors === 0 &&
    serverCpuShare >= MIN_SERVER_CPU_SHARE &&
    clientCpuShare <= MAX_CLIENT_CPU_SHARE
  );
}

/**
 * @param {number[]} samples
 * @returns {Statistic}
 */
function summarize(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const half = Math.ceil(sorted.length / 2);
  return {
    median: roundDigits(median(sorted)),
    quartiles: [
      roundDigits(median(sorted.slice(0, half))),
      roundDigits(median(sorted.slice(-half))),
    ],
    n: samples.length,
  };
}

/** @param {number[]} samples */
export function median(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  return (lower + upper) / 2;
}

/**
 * Rounds to six significant digits, which keeps results.json readable.
 *
 * @param {number} value
 */
export function roundDigits(value) {
  return Number(value.toPrecision(6));
}
