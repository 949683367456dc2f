// The tables of bench/RESULTS.md and of the terminal, in Markdown.

/** @typedef {import('./results.js').FeatureRun} FeatureRun */
/** @typedef {import('./results.js').FeatureSummary} FeatureSummary */
/** @typedef {import('./results.js').RateLatency} RateLatency */
/** @typedef {import('./results.js').Ratio} Ratio */
/** @typedef {import('./results.js').ResourceRun} ResourceRun */
/** @typedef {import('./results.js').Run} Run */
/** @typedef {import('./wrk.js').Scenario} Scenario */

const REQUESTS = { get: 'GET `/system/healthz`', post: 'POST `/api/v1/system/smoke-test`' };

/** The requests that only PetSage API is measured with. */
const PETSAGE_REQUESTS = {
  echo: REQUESTS.post,
  notFound: 'unknown path (404)',
  methodNotAllowed: 'wrong method (405)',
};

/**
 * Formats one run.
 *
 * @param {Run} run
 */
export function formatRun(run) {
  const parts = [
    ...describeRun(run),
    createLoadTable(run, 'get'),
    createLoadTable(run, 'post'),
    createStartTable(run),
  ];
  if (run.latency) {
    const { latencyRounds, latencySeconds } = run.settings;
    parts.push(
      `Latency at a constant rate, ${latencyRounds} rounds of ${latencySeconds} s:`,
      createLatencyTable(run.latency, 'get'),
      createLatencyTable(run.latency, 'post'),
    );
  }
  if (run.connections.length > 0) {
    parts.push(
      createConnectionTable(run),
      'Responses over 2 s were late, not lost: see [A burst of 1,000 connections](#a-burst-of-1000-connections).',
    );
  }
  return `${parts.join('\n\n')}\n`;
}

/**
 * Formats one run with several numbers of features.
 *
 * @param {FeatureRun} run
 */
export function formatFeatureRun(run) {
  const parts = [
    ...describeRun(run),
    createFeatureTable(run, 'get'),
    createFeatureTable(run, 'post'),
    createPetsageFeatureTable(run),
    createFeatureStartTable(run),
  ];
  return `${parts.join('\n\n')}\n`;
}

/**
 * Formats one run with a stored resource.
 *
 * @param {ResourceRun} run
 */
export function formatResourceRun(run) {
  const requests = Object.keys(run.servers[0]?.loads ?? {});
  const tables = requests.map((request) => createResourceTable(run, request));
  return `${[...describeRun(run), ...tables].join('\n\n')}\n`;
}

/** @param {Run | FeatureRun | ResourceRun} run */
function describeRun({ date, command, machine, versions, settings }) {
  const { starts, rounds, roundSeconds, rampUpSeconds, warmUpSeconds, connections } = settings;
  return [
    `Measured on ${date} with \`${command}\`: ${starts ? `${starts} starts, ` : ''}${warmUpSeconds} s of warm-up, ` +
      `${rounds} rounds of ${roundSeconds} s after ${rampUpSeconds} s of ramp-up, ${connections} connections. Values are medians.`,
    `Machine: ${formatList(machine)}.`,
    `Versions: ${formatList(versions)}.`,
  ];
}

/** @param {Record<string, string | number>} values */
function formatList(values) {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

/**
 * @param {Run} run
 * @param {Scenario} scenario
 */
function createLoadTable({ servers, settings }, scenario) {
  const head = [REQUESTS[scenario], 'requests/s', '÷ node:http', 'PetSage ÷ this'];
  return createTable(
    [...head, 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs/request'],
    servers.flatMap(({ label, name, [scenario]: load }) => {
      if (!load) return [];
      return [
        [
          name === 'petsage' ? `**${label}**` : label,
          formatInteger(load.requestsPerSecond.median),
          name === 'node-http' ? '' : formatRatio(load.ratioToNodeHttp, settings.rounds),
          name === 'petsage' ? '' : formatRatio(load.petsageRatio, settings.rounds),
          formatMs(load.p50),
          formatMs(load.p99),
          formatMs(load.p999),
          load.cpuUsPerRequest.toFixed(1),
        ],
      ];
    }),
  );
}

/**
 * @param {RateLatency[]} latency
 * @param {Scenario} scenario
 */
function createLatencyTable(latency, scenario) {
  const rows = latency.filter((row) => row.scenario === scenario);
  const rates = [...new Map(rows.map(({ share, rate }) => [share, rate]))];
  const servers = [...new Map(rows.map(({ name, label }) => [name, label]))];
  return createTable(
    [
      `${REQUESTS[scenario]}, ms`,
      ...rates.flatMap(([share, rate]) => [
        `${formatInteger(rate)}/s (${share * 100}%): p50`,
        'p99',
        'p99.9',
      ]),
    ],
    servers.map(([name, label]) => [
      name === 'petsage' ? `**${label}**` : label,
      ...rows.filter((row) => row.name === name).flatMap(formatLatency),
    ]),
  );
}

/** @param {RateLatency} latency */
function formatLatency({ p50, p99, p999, reachedRate }) {
  if (p50 === undefined || p99 === undefined || p999 === undefined) {
    return [`only ${formatInteger(reachedRate)}/s`, '—', '—'];
  }
  return [p50, p99, p999].map(formatMs);
}

/**
 * @param {FeatureRun} run
 * @param {'get' | 'post'} request
 */
function createFeatureTable(run, request) {
  return createFeatureRateTable(
    `${request.toUpperCase()} of the last feature`,
    groupByServer(run).map((group) => ({ label: formatServer(group), request, group })),
    run,
  );
}

/** @param {FeatureRun} run */
function createPetsageFeatureTable(run) {
  const group = groupByServer(run).find(([{ name }]) => name === 'petsage');
  if (!group) throw new Error('Every run measures petsage.');
  const rows = Object.entries(PETSAGE_REQUESTS).map(([request, label]) => ({
    ...{ label, request, group },
  }));
  return createFeatureRateTable('PetSage API, other requests', rows, run);
}

/**
 * @param {string} title
 * @param {{ label: string, request: string, group: FeatureSummary[] }[]} rows
 * @param {FeatureRun} run
 */
function createFeatureRateTable(title, rows, { servers, settings }) {
  const [lowest, ...others] = [...new Set(servers.map(({ features }) => features))];
  return createTable(
    [
      title,
      ...[lowest, ...others].map((count) => `${count}: requests/s`),
      ...others.map((count) => `${count} ÷ ${lowest}`),
    ],
    rows.map(({ label, request, group }) => {
      const loads = group.flatMap((summary) => summary.loads[request] ?? []);
      return [
        label,
        ...loads.map(({ requestsPerSecond }) => formatInteger(requestsPerSecond.median)),
        ...loads.slice(1).map(({ ratio }) => formatRatio(ratio, settings.rounds)),
      ];
    }),
  );
}

/**
 * @param {ResourceRun} run
 * @param {string} request
 */
function createResourceTable({ servers, settings }, request) {
  const head = [`\`${request}\``, 'requests/s', 'PetSage ÷ this'];
  return createTable(
    [...head, 'CPU µs/request', 'PetSage ÷ this by CPU time', 'CPU share'],
    servers.flatMap(({ name, label, loads: { [request]: load } }) => {
      if (!load) return [];
      const isPetsage = name === 'petsage';
      return [
        [
          isPetsage ? `**${label}**` : label,
          formatInteger(load.requestsPerSecond.median),
          isPetsage ? '' : formatRatio(load.rateRatio, settings.rounds),
          load.cpuUsPerRequest.median.toFixed(0),
          isPetsage ? '' : formatRatio(load.cpuRatio, settings.rounds),
          `${(load.serverCpuShare.median * 100).toFixed(0)}%`,
        ],
      ];
    }),
  );
}

/** @param {FeatureRun} run */
function createFeatureStartTable(run) {
  const groups = groupByServer(run);
  const [lowest, highest] = [groups[0]?.[0], groups[0]?.at(-1)].map((summary) => summary?.features);
  /** @param {string} unit */
  const createHead = (unit) =>
    lowest === highest
      ? [`${lowest}: ${unit}`]
      : [`${lowest}: ${unit}`, `${highest}: ${unit}`, `${unit} per feature`];
  return createTable(
    ['Start-up and memory', ...createHead('start ms'), ...createHead('idle MiB')],
    groups.map((group) => [
      formatServer(group),
      ...formatGrowth(group, ({ startMs }) => startMs.median),
      ...formatGrowth(group, ({ idleMib }) => idleMib.median),
    ]),
  );
}

/**
 * Formats the value of the lowest and of the highest number of features, and the difference per feature.
 *
 * @param {FeatureSummary[]} group
 * @param {(summary: FeatureSummary) => number} getValue
 */
function formatGrowth(group, getValue) {
  const [first, last] = [group[0], group.at(-1)];
  if (!first || !last) return [];
  if (first === last) return [getValue(first).toFixed(0)];
  const growth = (getValue(last) - getValue(first)) / (last.features - first.features);
  return [getValue(first).toFixed(0), getValue(last).toFixed(0), growth.toFixed(2)];
}

/**
 * @param {FeatureRun} run
 * @returns {[FeatureSummary, ...FeatureSummary[]][]} the numbers of features of each server, in ascending order
 */
export function groupByServer({ servers }) {
  /** @type {Map<string, [FeatureSummary, ...FeatureSummary[]]>} */
  const groups = new Map();
  for (const summary of servers) {
    const group = groups.get(summary.name);
    if (group) group.push(summary);
    else groups.set(summary.name, [summary]);
  }
  return [...groups.values()];
}

/** @param {[FeatureSummary, ...FeatureSummary[]]} group */
function formatServer([{ name, label }]) {
  return name === 'petsage' ? `**${label}**` : label;
}

/** @param {Run} run */
function createStartTable({ servers }) {
  return createTable(
    ['Start-up and memory', 'start ms', 'idle MiB', 'after load MiB'],
    servers.map(({ name, label, startMs, idleMib, loadMib }) => [
      name === 'petsage' ? `**${label}**` : label,
      startMs.median.toFixed(0),
      idleMib.median.toFixed(0),
      loadMib?.toFixed(0) ?? '',
    ]),
  );
}

/** @param {Run} run */
function createConnectionTable({ connections, settings }) {
  return createTable(
    [
      'PetSage API, connections',
      'request',
      'requests/s',
      'p50 ms',
      'p99 ms',
      `responses in ${settings.connectionSeconds} s`,
      'over 2 s',
      'errors',
    ],
    connections.map((load) => [
      formatInteger(load.connections),
      load.scenario.toUpperCase(),
      formatInteger(load.requestsPerSecond),
      formatMs(load.p50),
      formatMs(load.p99),
      formatInteger(load.requests),
      formatInteger(load.timeouts),
      formatInteger(load.errors),
    ]),
  );
}

/**
 * @param {Ratio} ratio
 * @param {number} rounds
 */
function formatRatio({ median, quartiles, n }, rounds) {
  const text =
    median === undefined
      ? '—'
      : `${median.toFixed(2)} (${quartiles?.map((quartile) => quartile.toFixed(2)).join('–')})`;
  return n < rounds ? `${text} n=${n}` : text;
}

/** @param {number} value */
function formatInteger(value) {
  return Math.round(value).toLocaleString('en');
}

/** @param {number} microseconds */
function formatMs(microseconds) {
  return (microseconds / 1000).toFixed(2);
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
function createTable(head, rows) {
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
