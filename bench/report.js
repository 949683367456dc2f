// The tables of bench/RESULTS.md, and of the terminal.
import { peer, PETSAGE } from './peers.js';
import { compare, compareShared, comparisonsOf, median, summariesOf } from './results.js';

/** @typedef {import('./results.js').Ratio} Ratio */
/** @typedef {import('./results.js').Run} Run */
/** @typedef {import('./results.js').Series} Series */
/** @typedef {import('./peers.js').PeerName} PeerName */

const TITLES = { get: 'GET `/system/healthz`', post: 'POST `/api/v1/system/smoke-test`' };

/** Notes to the tables' cells, each said once. */
class Notes {
  /** @type {Set<string>} */
  #notes = new Set();

  /**
   * A ratio as a cell, with the number of its note.
   *
   * @param {Ratio} ratio
   */
  ratio({ value, quartiles, note }) {
    const [low, high] = quartiles?.map((quartile) => quartile.toFixed(2)) ?? [];
    const range = low === high ? '' : ` (${low}–${high})`;
    const text = value === undefined ? '—' : `${value.toFixed(2)}${range}`;
    if (note === undefined) return text;
    this.#notes.add(note);
    return `${text} [${[...this.#notes].indexOf(note) + 1}]`;
  }

  toString() {
    return [...this.#notes].map((note, i) => `\n[${i + 1}] ${note}.\n`).join('');
  }
}

/**
 * Everything about one version of Node.
 *
 * @param {Run} run
 */
export function reportOf(run) {
  const notes = new Notes();
  const { starts, turns, seconds, rampUp, warmUp, connections } = run.settings;
  const parts = [
    `${run.date}, \`${run.command}\`: ${turns} turns of ${seconds} s each, after ${rampUp} s more, and ${warmUp} s of warm-up before all, ${connections} connections; ${starts} starts; medians. ${Object.entries(
      { ...run.machine, ...run.versions },
    )
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}.`,
    loadTable(run, 'get', notes),
    loadTable(run, 'post', notes),
    startTable(run),
    comparisonTable(run, notes),
    ...(run.scale ? scaleTables(run.scale, notes) : []),
  ];
  return `${parts.join('\n\n')}\n${notes}`;
}

/**
 * @param {Run} run
 * @param {import('./load.js').Scenario} scenario
 * @param {Notes} notes
 */
function loadTable(run, scenario, notes) {
  const rows = summariesOf(run).flatMap(([name, summary]) => {
    const cell = summary[scenario];
    if (!cell) return [];
    return [
      [
        labelOf(name),
        thousands(cell.rate),
        notes.ratio(cell.ratio),
        ms(cell.p50),
        ms(cell.p99),
        ms(cell.p999),
        cell.cpuPerRequest.toFixed(1),
      ],
    ];
  });
  return table(
    [TITLES[scenario], 'requests/s', 'to node:http', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs each'],
    rows,
  );
}

/** @param {Run} run */
function startTable(run) {
  return table(
    ['start and memory', 'start ms', 'idle MB', 'after load MB'],
    summariesOf(run).map(([name, { startMs, idleMb, loadMb }]) => [
      labelOf(name),
      startMs.toFixed(0),
      idleMb.toFixed(0),
      loadMb?.toFixed(0) ?? '',
    ]),
  );
}

/**
 * @param {Run} run
 * @param {Notes} notes
 */
function comparisonTable(run, notes) {
  const { 'nest-empty': empty, ...others } = comparisonsOf(run);
  const rows = Object.entries(others).map(([name, { get, post }]) => {
    const { label } = peer(/** @type {PeerName} */ (name));
    return [label, notes.ratio(get), notes.ratio(post)];
  });
  return [
    table(['PetSage API to', 'GET', 'POST'], rows),
    table(
      ['PetSage API to', 'start', 'idle memory'],
      [[peer('nest-empty').label, empty.start.toFixed(2), empty.idle.toFixed(2)]],
    ),
  ].join('\n\n');
}

/**
 * @param {NonNullable<Run['scale']>} scale
 * @param {Notes} notes
 */
function scaleTables({ workers, connections }, notes) {
  return [
    scaleTable('`WEB_CONCURRENCY`', workers, compareShared, notes),
    "Each of these was measured once. Above nothing is pinned, and the load generator and the workers share the cores; below, one core is the server's.",
    scaleTable('one core', connections, compare, notes),
  ];
}

/**
 * @param {string} title
 * @param {Series} series
 * @param {typeof compare} ratio
 * @param {Notes} notes
 */
function scaleTable(title, series, ratio, notes) {
  const variants = Object.keys(series);
  /**
   * @param {string} variant
   * @param {'get' | 'post'} scenario
   */
  const loadsOf = (variant, scenario) => ({
    title: `${variant}, ${scenario.toUpperCase()}`,
    loads: (series[variant] ?? []).map((round) => round[scenario]),
  });
  return table(
    [
      `PetSage API, ${title}`,
      'GET/s',
      'to the first',
      'p99 ms',
      'POST/s',
      'to the first',
      'p99 ms',
    ],
    variants.map((variant) => [
      variant,
      .../** @type {const} */ (['get', 'post']).flatMap((scenario) => {
        const own = loadsOf(variant, scenario);
        return [
          thousands(median(own.loads.map(({ rate }) => rate))),
          notes.ratio(ratio(own, loadsOf(variants[0] ?? '', scenario))),
          ms(median(own.loads.map(({ p99 }) => p99))),
        ];
      }),
    ]),
  );
}

/** @param {PeerName} name */
function labelOf(name) {
  return name === PETSAGE ? `**${peer(name).label}**` : peer(name).label;
}

/** @param {number} number */
function thousands(number) {
  return Math.round(number).toLocaleString('en');
}

/** @param {number} microseconds */
function ms(microseconds) {
  return (microseconds / 1000).toFixed(2);
}

/**
 * A table in Markdown, its columns aligned as prettier aligns them.
 *
 * @param {string[]} head
 * @param {string[][]} rows
 */
function table(head, rows) {
  const widths = head.map((cell, i) =>
    Math.max(4, cell.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  /** @param {string[]} row */
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/**
 * The whole document.
 *
 * @param {Record<string, Run>} results by the name of the Node version
 */
export function documentOf(results) {
  return `# Results

Written by \`npm run bench\` from \`bench/results.json\`; not edited by hand.

The servers share one core, on which only one of them is asked at a time; wrk has the other. All on
loopback. All do the same work, which is checked before
they are measured: status, content type and body are the same. The servers are under load in turn, a
short while each, again and again; a ratio is taken within a turn, and the median of the turns is told,\nwith the quartiles in parentheses.
Where the server used less than 90 % of its core, or wrk more than 95 % of its own, something else was
the limit: there is no ratio then, and a note says why. Latencies are those of a server under full
load. CPU is the server's time, of all its threads, for a request. Start is from the spawn to the first
200; memory is what is resident: idle a second after the first 200, and after the last load.

PetSage API is \`node dist/main.js\` with its default settings: log, metrics, request ids and security
headers are on. The log goes to /dev/null as the others' does, and like theirs it has nothing to say of
these two requests. PetSage API is bundled as it is shipped, and the others are not. It makes no ETag
for them; Express and Nest on Express do, as they come. "+ headers" is the same application as "Nest on
Fastify" that sends the headers that PetSage API sends, in Fastify's way. "Nest, empty" has one route
and nothing else.

![Requests per second as a share of node:http](results.svg)
${Object.entries(results)
  .map(([name, run]) => `\n## ${name.replace(/^node/, 'Node ')}\n\n${reportOf(run)}`)
  .join('')}`;
}
