// Keeps PetSage API under load for a while: nothing may fail, and memory may not grow.
// npm run soak, or node bench/soak.js --help
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runWrk } from './load.js';
import { peer, PETSAGE } from './peers.js';
import {
  ask,
  cpuSecondsOf,
  keepAwake,
  peakMbOf,
  prepareMachine,
  Refusal,
  residentMbOf,
  startServer,
} from './processes.js';
import { percent } from './results.js';

const HELP = `Keeps PetSage API (node dist/main.js) under load: no request may fail, and memory may not grow.

  node bench/soak.js [--minutes 10]

In each minute it measures how many requests per second the service answers at most, of all kinds in
turn, and then sends 80 % of that. Memory is read between the minutes, when garbage is collected. It
ends with 1 when a request failed, the rate was not reached, or memory or its heap grew by more than
5 % after the first minute. From 10 minutes on it writes bench/soak.json.
`;

/** The share of the most it can do that it is kept under. */
const LOAD = 0.8;

/** The share of the rate that has to be reached. */
const REACHED = 0.95;

/** How much memory may grow, from after the first minute to the end. */
const GROWTH = 1.05;

/** A run that is shorter is a trial. */
const FULL_MINUTES = 10;

/** The parts of a minute, in seconds. A machine may be slower in another minute: each has its own. */
const MAXIMUM_SECONDS = 6;
const LOAD_SECONDS = 54;
const CONNECTIONS = 50;

/** Before that, V8 makes its heap as large as the load wants it. In seconds. */
const WARM_UP_SECONDS = 30;

/** Lets the service collect its garbage when it is asked to by a signal. */
const COLLECT = `import v8 from 'node:v8';
import vm from 'node:vm';
v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');
process.on('SIGUSR2', () => { gc(); });`;

/** How often it did, as its metrics tell. */
const COLLECTIONS = /^nodejs_gc_duration_seconds_count\{kind="major"\} (\d+)$/m;

/** How many times those are asked before it counts as not having done it. */
const TRIES = 1000;

/**
 * @typedef {object} Outcome
 * @property {number} requests
 * @property {number} seconds
 * @property {number} right
 * @property {number} wrong
 * @property {string} firstWrong
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {Record<string, number>} errors
 */

/**
 * What is in memory after a minute, in MiB: all that is resident, the most that ever was, and the heap
 * without its garbage.
 *
 * @typedef {{ residentMb: number, peakMb: number, heapMb: number }} Memory
 */

/**
 * `serverShare` is the CPU time that the server used at the most that it can do, as a share of a core.
 *
 * @typedef {object} Minute
 * @property {number} maximum
 * @property {number} serverShare
 * @property {number} target
 * @property {Outcome} outcome
 * @property {Memory} memory
 */

try {
  await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  // With what is still running: a server would keep this process alive.
  process.exit(1);
}

async function main() {
  const { minutes, help } = readArguments();
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  await prepareMachine();
  const idle = keepAwake();
  const server = await startServer(peer(PETSAGE).command, {
    readsLog: true,
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(COLLECT)}` },
  });
  tell('Warming up');
  await putMix(server, 0, WARM_UP_SECONDS);
  /** @type {Minute[]} */
  const rounds = [];
  let requests = 0;
  let due = 0;
  for (let minute = 1; minute <= minutes; minute++) {
    const cpu = cpuSecondsOf(server);
    const most = await putMix(server, 0, MAXIMUM_SECONDS);
    const serverShare = (cpuSecondsOf(server) - cpu) / most.seconds;
    const maximum = most.requests / most.seconds;
    const target = maximum * LOAD;
    const outcome = await putMix(server, target, LOAD_SECONDS);
    const memory = await memoryOf(server);
    rounds.push({ maximum, serverShare, target, outcome, memory });
    requests += outcome.requests;
    due += target * outcome.seconds;
    const rate = outcome.requests / outcome.seconds;
    const failed = failuresOf(most) + failuresOf(outcome);
    tell(
      `Minute ${minute}: at most ${Math.round(maximum)} requests/s (${percent(serverShare)} of a core), then ${Math.round(rate)} (${percent(rate / maximum)}), ` +
        `p50 ${outcome.p50} µs, p99 ${outcome.p99} µs, ${failed} failed; ` +
        `memory ${memory.residentMb.toFixed(1)} MiB, peak ${memory.peakMb.toFixed(1)}, heap ${memory.heapMb.toFixed(1)}`,
    );
    if (failed > 0) throw new Refusal(detailsOf(failuresOf(most) > 0 ? most : outcome));
  }
  await server.stop();

  const [first, last] = [rounds[0], rounds.at(-1)];
  if (!first || !last) throw new Refusal('--minutes: expected one or more');
  const growth = last.memory.residentMb / first.memory.residentMb;
  const heapGrowth = last.memory.heapMb / first.memory.heapMb;
  const reached = requests / due;
  tell(`${requests} requests, none failed, ${percent(reached * LOAD)} of the most it can do`);
  tell(
    `Memory is ${growth.toFixed(3)} of what it was after the first minute, the heap ${heapGrowth.toFixed(3)}`,
  );

  if (minutes >= FULL_MINUTES) {
    const path = join(import.meta.dirname, 'soak.json');
    const date = new Date().toISOString().slice(0, 10);
    const report = {
      date,
      node: process.versions.node,
      machine: { CPU: cpus()[0]?.model, kernel: release(), 'idle cores': idle },
      minutes,
      requests,
      reached,
      growth,
      heapGrowth,
      rounds,
    };
    writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
    tell('Wrote bench/soak.json');
  }
  if (!(reached >= REACHED) || !(growth <= GROWTH && heapGrowth <= GROWTH)) process.exitCode = 1;
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '10' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const minutes = Number(values.minutes);
    if (!(Number.isInteger(minutes) && minutes > 0)) {
      throw new Error(`--minutes: expected a whole number from 1 on, found ${values.minutes}`);
    }
    return { minutes, help: values.help };
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

/** @param {string} line */
function tell(line) {
  process.stdout.write(`${line}\n`);
}

/**
 * @param {import('./processes.js').Server} server
 * @param {number} rate 0: as many as can be
 * @param {number} seconds
 */
async function putMix(server, rate, seconds) {
  const script = { script: 'soak.lua', args: [rate.toFixed(0)] };
  return /** @type {Promise<Outcome>} */ (
    runWrk(server.url, { ...script, seconds, connections: CONNECTIONS })
  );
}

/** @param {Outcome} outcome */
function failuresOf({ wrong, errors }) {
  return Object.values(errors).reduce((total, count) => total + count, wrong);
}

/** @param {Outcome} outcome */
function detailsOf({ wrong, firstWrong, errors }) {
  return JSON.stringify({ wrong, firstWrong, ...errors });
}

/**
 * @param {import('./processes.js').Server} server
 * @returns {Promise<Memory>}
 */
async function memoryOf(server) {
  const before = await metric(server, COLLECTIONS);
  // Node does not count each one: a collection within another is lost.
  for (let tries = 1; (await metric(server, COLLECTIONS)) === before; tries++) {
    if (tries === TRIES) throw new Refusal('The service did not collect its garbage');
    process.kill(server.pid, 'SIGUSR2');
  }
  const heapMb = (await metric(server, /^nodejs_heap_size_used_bytes (\S+)$/m)) / 1024 ** 2;
  return { residentMb: residentMbOf(server), peakMb: peakMbOf(server), heapMb };
}

/**
 * What the service itself tells; 0 where it says nothing.
 *
 * @param {import('./processes.js').Server} server
 * @param {RegExp} pattern
 */
async function metric(server, pattern) {
  const { body } = await ask(server.port, 'GET', '/metrics');
  return Number(pattern.exec(body)?.[1] ?? 0);
}
