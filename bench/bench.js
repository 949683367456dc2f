// Measures PetSage API against its peers: npm run bench, or node bench/bench.js --help
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chartOf } from './chart.js';
import { putLoad, scenarios } from './load.js';
import { checkPeers, peer, PETSAGE, preparePeers } from './peers.js';
import {
  ALL_CORES,
  ask,
  keepAwake,
  LIVENESS,
  prepareMachine,
  Refusal,
  residentMbOf,
  SERVER_CORE,
  startServer,
  tryRun,
} from './processes.js';
import { documentOf, reportOf } from './report.js';
import { comparisonsOf, percent, summariesOf } from './results.js';

/** @typedef {import('./peers.js').PeerName} PeerName */
/** @typedef {import('./results.js').Measured} Measured */
/** @typedef {import('./results.js').Run} Run */

const HELP = `Measures PetSage API (node dist/main.js) against its peers, on the Node that runs this.

  npm run bench                about 12 minutes;  writes bench/results.json, RESULTS.md, results.svg
  npm run bench -- --quick     under 2 minutes, rough; writes nothing

  --quick   few and short turns
  --scale   with --quick: PetSage with several workers and many connections too
  --help    this

Nothing else should run meanwhile. Another Node, once it is built:
  npx --yes --package=node@24 -- node bench/bench.js
`;

const FULL = { starts: 5, turns: 9, seconds: 2, rampUp: 1, warmUp: 5, connections: 50 };
const QUICK = { starts: 1, turns: 2, seconds: 1, rampUp: 1, warmUp: 1, connections: 50 };

/** How long each line of the scale table is measured, in seconds. */
const SCALE_SECONDS = 4;

/** How long a server is left alone before its memory is read, in milliseconds. */
const SETTLE_MS = 1000;

/**
 * Settings of PetSage; the first is what the others are compared to.
 *
 * @type {{ variant: string, env: Record<string, string> }[]}
 */
const WORKERS = [
  { variant: 'default', env: {} },
  { variant: '1 worker', env: { WEB_CONCURRENCY: '1' } },
  { variant: '2 workers', env: { WEB_CONCURRENCY: '2' } },
];
const CONNECTIONS = [10, 100, 1000];

const RESULTS = join(import.meta.dirname, 'results.json');

try {
  await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  tell(error.message);
  // With what is still running: a server would keep this process alive.
  process.exit(1);
}

async function main() {
  const { quick, scale, help } = readArguments();
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  const settings = quick ? QUICK : FULL;
  await prepareMachine();
  const idle = keepAwake();
  const { names, versions } = await preparePeers(tell);
  tell('Checking that all do the same work');
  await checkPeers(names);
  /** @type {Run} */
  const run = {
    date: new Date().toISOString().slice(0, 10),
    command: ['node', 'bench/bench.js', ...process.argv.slice(2)].join(' '),
    machine: { ...(await describeMachine()), 'idle cores': idle },
    versions: {
      petsage: await revision(),
      node: process.versions.node,
      ...versions,
    },
    settings,
    peers: await measurePeers(names, settings),
    ...((!quick || scale) && { scale: await measureScale(settings) }),
  };
  process.stdout.write(`\n${reportOf(run)}`);
  if (!quick) write(run);
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        scale: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

/** @param {string} line */
function tell(line) {
  process.stderr.write(`${line}\n`);
}

/** The commit that is measured, with a mark when what is there differs from it, but for results. */
async function revision() {
  const git = ['git', '-C', import.meta.dirname];
  const commit = await tryRun([...git, 'rev-parse', '--short=12', 'HEAD']);
  if (commit === undefined) return 'unknown';
  const unchanged = [
    'diff',
    '--quiet',
    'HEAD',
    '--',
    ':/',
    ':!/bench/*.json',
    ':!/bench/*.svg',
    ':!*.md',
  ];
  return commit.trim() + ((await tryRun([...git, ...unchanged])) === undefined ? '-dirty' : '');
}

async function describeMachine() {
  const [cpu, ...others] = cpus();
  // wrk says its version together with its usage, and fails.
  const wrk = await tryRun(['sh', '-c', 'wrk -v 2>&1 || true']);
  return {
    CPU: cpu?.model.trim() ?? 'unknown',
    cores: others.length + 1,
    kernel: release(),
    wrk: /^wrk (?:debian\/)?(\S+)/.exec(wrk ?? '')?.[1] ?? 'unknown',
  };
}

/**
 * Every peer in turn: started several times, and the last time all are left running. They are warmed
 * up, and then put under load, a short while each, again and again. What slows the machine down for a
 * minute so meets all of them alike.
 *
 * @param {PeerName[]} names
 * @param {typeof FULL} settings
 */
async function measurePeers(names, settings) {
  const { starts, turns, rampUp, warmUp } = settings;
  /** @type {Partial<Record<PeerName, Measured>>} */
  const peers = {};
  /** @type {{ name: PeerName, server: import('./processes.js').Server, measured: Measured }[]} */
  const running = [];
  for (let start = 1; start <= starts; start++) {
    for (const name of names) {
      const measured = (peers[name] ??= { startMs: [], idleMb: [], get: [], post: [] });
      const server = await measureStart(name, measured);
      tell(`Start ${start} of ${starts}: ${name}: ${server.startMs.toFixed(0)} ms`);
      if (start === starts && peer(name).isLoaded !== false) {
        running.push({ name, server, measured });
      } else {
        await server.stop();
      }
    }
  }
  for (const { name, server } of running) {
    for (const scenario of scenarios) {
      const load = await putLoad(server, scenario, { ...settings, seconds: warmUp });
      tell(`Warm-up: ${name}: ${describe(scenario, load)}`);
    }
  }
  for (let turn = 1; turn <= turns; turn++) {
    for (const scenario of scenarios) {
      for (const { name, server, measured } of running) {
        // V8 lets go of memory and code while nothing happens.
        await putLoad(server, scenario, { ...settings, seconds: rampUp });
        const load = await putLoad(server, scenario, settings);
        measured[scenario].push(load);
        measured.loadMb = residentMbOf(server);
        tell(`Turn ${turn} of ${turns}: ${name}: ${describe(scenario, load)}`);
      }
    }
    // Who comes first, and who comes after whom.
    running.push(...running.splice(0, 3));
    running.reverse();
  }
  for (const { server } of running) await server.stop();
  return peers;
}

/**
 * @param {PeerName} name
 * @param {Measured} measured is given what the start shows
 */
async function measureStart(name, { startMs, idleMb }) {
  const server = await startServer(peer(name).command);
  await ask(server.port, 'GET', LIVENESS);
  await setTimeout(SETTLE_MS);
  startMs.push(server.startMs);
  idleMb.push(residentMbOf(server));
  return server;
}

/**
 * @param {import('./load.js').Scenario} scenario
 * @param {import('./load.js').Load} load
 */
function describe(scenario, { rate, serverShare, clientShare }) {
  return `${scenario.toUpperCase()} ${Math.round(rate)}/s, server ${percent(serverShare)}, wrk ${percent(clientShare)} of a core`;
}

/**
 * PetSage with several workers, and with few and many connections.
 *
 * @param {typeof FULL} settings
 */
async function measureScale({ warmUp, ...settings }) {
  /** @type {NonNullable<Run['scale']>} */
  const scale = { workers: {}, connections: {} };
  /**
   * @param {'workers' | 'connections'} series
   * @param {string} variant
   * @param {{ connections?: number, cores?: string, env?: Record<string, string> }} how
   */
  const measure = async (series, variant, { env = {}, ...how }) => {
    const options = { ...settings, seconds: SCALE_SECONDS, ...how };
    const server = await startServer(peer(PETSAGE).command, {
      cores: how.cores ?? SERVER_CORE,
      env,
    });
    const load = async (/** @type {import('./load.js').Scenario} */ scenario) => {
      await putLoad(server, scenario, { ...options, seconds: warmUp });
      const measured = await putLoad(server, scenario, options);
      tell(`Scale, ${variant}: ${describe(scenario, measured)}`);
      return measured;
    };
    const loads = { get: await load('get'), post: await load('post') };
    await server.stop();
    (scale[series][variant] ??= []).push(loads);
  };
  for (const { variant, env } of WORKERS) {
    await measure('workers', variant, { cores: ALL_CORES, env });
  }
  for (const connections of CONNECTIONS) {
    await measure('connections', `${connections} connections`, { connections });
  }
  return scale;
}

/**
 * Keeps a run beside those of other versions of Node.
 *
 * @param {Run} run
 */
function write(run) {
  const version = Number(process.versions.node.split('.')[0]);
  /** @type {Record<string, Run>} */
  const earlier = existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : {};
  const medians = Object.fromEntries(summariesOf(run));
  const comparisons = comparisonsOf(run);
  const all = { ...earlier, [`node${version}`]: { ...run, medians, comparisons } };
  const results = /** @type {Record<string, Run>} */ (
    Object.fromEntries(
      Object.entries(all).toSorted(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })),
    )
  );
  const shown = results.node24 ?? Object.values(results).at(-1) ?? run;
  writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), documentOf(results));
  writeFileSync(join(import.meta.dirname, 'results.svg'), chartOf(shown));
  tell('Wrote bench/results.json, bench/RESULTS.md and bench/results.svg');
}
