// Measures PetSage API against its peers: npm run bench, or node bench/bench.js --help
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chartOf } from './chart.js';
import { putLoad } from './load.js';
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

  npm run bench                about 9 minutes;  writes bench/results.json, RESULTS.md, results.svg
  npm run bench -- --quick     under 2 minutes, rough; writes nothing

  --quick   one short round
  --scale   with --quick: PetSage with several workers and many connections too
  --help    this

Nothing else should run meanwhile. Another Node, once it is built:
  npx --yes --package=node@24 -- node bench/bench.js
`;

const FULL = { rounds: 3, starts: 5, seconds: 3, warmUp: 4, connections: 50 };
const QUICK = { rounds: 1, starts: 3, seconds: 2, warmUp: 1, connections: 50 };

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
    versions: { node: process.versions.node, ...versions },
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
 * Every peer in turn, in each round in another order; then the starts that are missing.
 *
 * @param {PeerName[]} names
 * @param {typeof FULL} settings
 */
async function measurePeers(names, settings) {
  const { rounds, starts } = settings;
  /** @type {Partial<Record<PeerName, Measured>>} */
  const peers = {};
  for (let round = 0; round < Math.max(rounds, starts); round++) {
    const first = (round * Math.ceil(names.length / rounds)) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const server = await startServer(peer(name).command);
      const measured = (peers[name] ??= { starts: [], rounds: [] });
      measured.starts.push(server.startMs);
      if (round < rounds) {
        measured.rounds.push(
          await measureRound(server, settings, peer(name).isLoaded, (line) => {
            tell(`Round ${round + 1} of ${rounds}: ${name}: ${line}`);
          }),
        );
      } else {
        tell(`Start ${round + 1} of ${starts}: ${name}: ${server.startMs.toFixed(0)} ms`);
      }
      await server.stop();
    }
  }
  return peers;
}

/**
 * @param {import('./processes.js').Server} server
 * @param {typeof FULL} settings
 * @param {boolean | undefined} isLoaded
 * @param {(line: string) => void} say
 * @returns {Promise<import('./results.js').Round>}
 */
async function measureRound(server, { seconds, warmUp }, isLoaded, say) {
  await ask(server.port, 'GET', LIVENESS);
  await setTimeout(SETTLE_MS);
  const idleMb = residentMbOf(server);
  say(`started in ${server.startMs.toFixed(0)} ms, idle ${idleMb.toFixed(0)} MB`);
  if (isLoaded === false) return { idleMb };
  const loads = await measureLoads(server, { seconds, warmUp }, say);
  return { idleMb, loadMb: residentMbOf(server), ...loads };
}

/**
 * Both scenarios, each after a warm-up.
 *
 * @param {import('./processes.js').Server} server
 * @param {{ seconds: number, warmUp: number, connections?: number, cores?: string }} options
 * @param {(line: string) => void} say
 */
async function measureLoads(server, { warmUp, ...options }, say) {
  /** @param {import('./load.js').Scenario} scenario */
  const measure = async (scenario) => {
    await putLoad(server, scenario, { ...options, seconds: warmUp });
    const load = await putLoad(server, scenario, options);
    say(
      `${scenario.toUpperCase()} ${Math.round(load.rate)}/s, server ${percent(load.serverShare)}, wrk ${percent(load.clientShare)} of a core`,
    );
    return load;
  };
  return { get: await measure('get'), post: await measure('post') };
}

/**
 * PetSage with several workers, and with few and many connections.
 *
 * @param {typeof FULL} settings
 */
async function measureScale({ seconds, warmUp }) {
  /** @type {NonNullable<Run['scale']>} */
  const scale = { workers: {}, connections: {} };
  /**
   * @param {'workers' | 'connections'} series
   * @param {string} variant
   * @param {{ connections?: number, cores?: string, env?: Record<string, string> }} how
   */
  const measure = async (series, variant, { env = {}, ...how }) => {
    const server = await startServer(peer(PETSAGE).command, {
      cores: how.cores ?? SERVER_CORE,
      env,
    });
    const loads = await measureLoads(server, { seconds, warmUp, ...how }, (line) => {
      tell(`Scale, ${variant}: ${line}`);
    });
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
