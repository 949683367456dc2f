// Keeps PetSage API under load for a while: nothing may fail, and memory may not grow.
// npm run soak, or node bench/soak.js --help
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runWrk } from './load.js';
import { peer, PETSAGE } from './peers.js';
import { ask, prepareMachine, Refusal, residentMbOf, startServer } from './processes.js';
import { median, percent } from './results.js';

const HELP = `Keeps PetSage API (node dist/main.js) under load: no request may fail, and memory may not grow.

  node bench/soak.js [--minutes 10]

It measures how many requests per second the service answers at most, of all kinds in turn, and then
sends 80 % of that. It ends with 1 when a request failed, the rate was not reached, or memory grew by
more than 5 %. From 10 minutes on it writes bench/soak.json.
`;

/** The share of the most it can do that it is kept under. */
const LOAD = 0.8;

/** The share of the rate that has to be reached. */
const REACHED = 0.95;

/** How much memory may grow, from after the first minute to the end. */
const GROWTH = 1.05;

/** A run that is shorter is a trial. */
const FULL_MINUTES = 10;

const MAXIMUM_SECONDS = 10;
const MAXIMUM_CONNECTIONS = 50;

/** So many that one is free whenever a request is due. */
const CONNECTIONS = 200;

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

/** @typedef {{ second: number, rssMb: number, heapMb: number }} Sample */

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
  const server = await startServer(peer(PETSAGE).command, { readsLog: true });
  tell('Warming up');
  await putMix(server, 0, Math.min(MAXIMUM_SECONDS, minutes * 60), MAXIMUM_CONNECTIONS);
  const most = await putMix(
    server,
    0,
    Math.min(MAXIMUM_SECONDS, minutes * 60),
    MAXIMUM_CONNECTIONS,
  );
  const maximum = most.requests / most.seconds;
  const target = maximum * LOAD;
  tell(`At most ${Math.round(maximum)} requests/s (${failuresOf(most)} failed)`);
  tell(`Now ${Math.round(target)} requests/s for ${minutes} minutes`);

  const sampling = sample(server);
  const outcome = await putMix(server, target, minutes * 60, CONNECTIONS);
  const samples = sampling.stop();
  await server.stop();

  const { before, after } = windowsOf(samples, minutes * 60);
  const rate = outcome.requests / outcome.seconds;
  const failed = failuresOf(outcome);
  const growth = after.rssMb / before.rssMb;
  tell(`${outcome.requests} requests, ${failed} failed ${failed > 0 ? detailsOf(outcome) : ''}`);
  tell(`${Math.round(rate)} requests/s: ${percent(rate / maximum)} of the most it can do`);
  tell(`p50 ${outcome.p50} µs, p99 ${outcome.p99} µs, p99.9 ${outcome.p999} µs`);
  tell(
    `Memory ${before.rssMb.toFixed(1)} MB, then ${after.rssMb.toFixed(1)} MB: ${growth.toFixed(3)}`,
  );
  tell(`Heap, at its lowest, ${before.heapMb.toFixed(1)} MB, then ${after.heapMb.toFixed(1)} MB`);

  if (minutes >= FULL_MINUTES) {
    const path = join(import.meta.dirname, 'soak.json');
    const date = new Date().toISOString().slice(0, 10);
    const { node } = process.versions;
    const report = { date, node, minutes, maximum, target, rate, failed, growth, before, after };
    writeFileSync(path, `${JSON.stringify({ ...report, most, outcome, samples }, null, 2)}\n`);
    tell('Wrote bench/soak.json');
  }
  if (failed > 0 || !(rate >= target * REACHED) || !(growth <= GROWTH)) process.exitCode = 1;
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
    if (!(minutes > 0)) throw new Error(`--minutes: expected a number, found ${values.minutes}`);
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
 * @param {number} connections
 */
async function putMix(server, rate, seconds, connections) {
  const script = { script: 'soak.lua', args: [rate.toFixed(0)] };
  return /** @type {Promise<Outcome>} */ (
    runWrk(server.url, { ...script, seconds: Math.round(seconds), connections })
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
 * Reads memory each second until it is stopped.
 *
 * @param {import('./processes.js').Server} server
 */
function sample(server) {
  const began = performance.now();
  /** @type {Sample[]} */
  const samples = [];
  const timer = setInterval(() => {
    void heapMbOf(server)
      .then((heapMb) => {
        const second = Math.round((performance.now() - began) / 1000);
        samples.push({ second, rssMb: residentMbOf(server), heapMb });
      })
      // A server that is gone, or answers nothing, shows in the count of what failed.
      .catch(() => undefined);
  }, 1000);
  return {
    stop: () => {
      clearInterval(timer);
      return samples;
    },
  };
}

/**
 * The heap in use, as the service itself tells.
 *
 * @param {import('./processes.js').Server} server
 */
async function heapMbOf(server) {
  const { body } = await ask(server.port, 'GET', '/metrics');
  return Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(body)?.[1] ?? NaN) / 1024 ** 2;
}

/**
 * The 10 seconds after the first minute and the last 10; of a short run, shorter ones.
 *
 * @param {Sample[]} samples
 * @param {number} seconds
 */
function windowsOf(samples, seconds) {
  const warmUp = Math.min(60, seconds / 3);
  const width = Math.min(10, seconds / 4);
  /** @param {number} from */
  const window = (from) => {
    const inside = samples.filter(({ second }) => second >= from && second <= from + width);
    return {
      rssMb: median(inside.map(({ rssMb }) => rssMb)),
      // The garbage on top of it is of no interest.
      heapMb: Math.min(...inside.map(({ heapMb }) => heapMb)),
    };
  };
  return { before: window(warmUp), after: window(seconds - width) };
}
