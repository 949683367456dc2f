// The tables of bench/RESULTS.md and of the terminal, in Markdown.

/** @typedef {import('./results.js').Ratio} Ratio */
/** @typedef {import('./results.js').Run} Run */
/** @typedef {import('./wrk.js').Scenario} Scenario */

const REQUESTS = { get: 'GET `/system/healthz`', post: 'POST `/api/v1/system/smoke-test`' };

/**
 * Formats one run.
 *
 * @param {Run} run
 */
export function formatRun(run) {
  const { starts, rounds, roundSeconds, rampUpSeconds, warmUpSeconds, connections } = run.settings;
  const parts = [
    `Measured on ${run.date} with \`${run.command}\`: ${starts} starts, ${warmUpSeconds} s of warm-up, ` +
      `${rounds} rounds of ${roundSeconds} s after ${rampUpSeconds} s of ramp-up, ${connections} connections. Values are medians.`,
    `Machine: ${formatList(run.machine)}.`,
    `Versions: ${formatList(run.versions)}.`,
    createLoadTable(run, 'get'),
    createLoadTable(run, 'post'),
    createStartTable(run),
  ];
  if (run.connections.length > 0) {
    parts.push(
      createConnectionTable(run),
      'Responses over 2 s were late, not lost: see [A burst of 1,000 connections](#a-burst-of-1000-connections).',
    );
  }
  return `${parts.join('\n\n')}\n`;
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
