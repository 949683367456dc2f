// Loads PetSage API with an owned resource for minutes: no request may fail, no connection to the database may be lost,
// and memory must not grow.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { startIssuer } from './issuer.js';
import { BenchmarkError, exitWithError, parseCount, prepareMachine } from './machine.js';
import { buildPetsageWithFeature } from './petsage-features.js';
import { startPostgres } from './postgres.js';
import { readCpuSeconds, startServer } from './server.js';
import { roundDigits } from './statistics.js';
import { runWrk } from './wrk.js';

/** @typedef {import('./server.js').Server} Server */

const HELP = `Loads PetSage API with an owned resource on PostgreSQL for minutes, and verifies every response.
Requests to the resource have a token.

  node bench/soak.js [--minutes 10]

Each minute, it measures how many requests per second the service can handle, and then sends 80% of
that. Between the minutes it forces a garbage collection and reads the memory. The exit code is 1 if a
request failed, if the rate was not reached, if memory grew by more than 5% after the first minute, or
if connections to the database were opened again, or are still in use.
From 10 minutes on, it writes bench/soak.json.`;

const LOAD_SHARE = 0.8;

/** The share of the intended rate that must be reached. */
const MIN_RATE_REACHED = 0.95;

/** The allowed ratio of the memory after the last minute to that after the first. */
const MAX_GROWTH = 1.05;

const MIN_MINUTES_TO_SAVE = 10;
const CONNECTIONS = 50;

/** The load before the first minute, until V8 has grown its heap, and the service may read the keys again. */
const WARM_UP_SECONDS = 31;

/** The parts of a minute. The maximum is measured each minute, because a machine's speed varies. */
const MAXIMUM_SECONDS = 6;
const LOAD_SECONDS = 54;

/** As many connections to the database as the pool may have stay open, because there are more clients. */
const POOL_SIZE = 10;

const PAYLOAD = {
  feature: 'pet_profile',
  description: 'Profiles of pets',
  resource: true,
  owned: true,
  fields: { name: 'string(1..80)!unique', kind: 'dog|cat!filter', weight: 'number(0..200)?' },
};

const PATH = '/api/v1/pet-profiles';

/** The number of rows that requests by id use in turn. */
const ROWS = 100;

/** Runs in the service: collects garbage on request, and sends the memory usage in bytes. */
const MEMORY_PROBE = `process.on('message', () => {
  gc();
  const { rss, heapUsed } = process.memoryUsage();
  process.send({ rss, heapUsed, peakRss: process.resourceUsage().maxRSS * 1024 });
});`;

await main().catch(exitWithError);

async function main() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const minutes = parseCount('--minutes', values.minutes);
  const machine = await prepareMachine();
  console.log('Building PetSage API with a resource');
  const main = await buildPetsageWithFeature(PAYLOAD);
  const postgres = await startPostgres();
  try {
    await soak(main, postgres, minutes, machine);
  } finally {
    await postgres.remove();
  }
}

/**
 * @param {string} main
 * @param {import('../test/fixtures/postgres-server.js').PostgresServer} postgres
 * @param {number} minutes
 * @param {Record<string, unknown>} machine
 */
async function soak(main, postgres, minutes, machine) {
  const { settings, tokens } = await startIssuer(['ES256']);
  const [token = ''] = tokens;
  const url = await postgres.createDatabase();
  const variables = [`DATABASE_URL=${url}`, `DATABASE_POOL_SIZE=${POOL_SIZE}`];
  const probe = `--import=data:text/javascript,${encodeURIComponent(MEMORY_PROBE)}`;
  const command = ['env', ...settings, ...variables, 'DATABASE_MIGRATE=true', process.execPath];
  const server = await startServer({ command: [...command, '--expose-gc', probe, main] }, [
    'ignore',
    // The log. This process, which shares a core with the load, could not read a pipe fast enough, and
    // /v1/health/smoke-test waits until its record has left the service.
    'ignore',
    'inherit',
    'ipc',
  ]);
  const args = [token, await createRows(server, token)];
  console.log('Warming up');
  await sendRequests(server, 0, WARM_UP_SECONDS, args);
  await readKeysAgain(server, token);
  const connections = await findConnections(postgres, url);

  let requests = 0;
  let intendedRequests = 0;
  const memory = [];
  for (let minute = 1; minute <= minutes; minute++) {
    const cpuBefore = readCpuSeconds(server);
    const maximum = await sendRequests(server, 0, MAXIMUM_SECONDS, args);
    const cpuShare = (readCpuSeconds(server) - cpuBefore) / maximum.seconds;
    const maximumRate = maximum.requests / maximum.seconds;
    const load = await sendRequests(server, maximumRate * LOAD_SHARE, LOAD_SECONDS, args);
    const usage = await readMemory(server);
    requests += load.requests;
    intendedRequests += maximumRate * LOAD_SHARE * load.seconds;
    memory.push(usage);
    console.log(
      `Minute ${minute}: maximum ${maximumRate.toFixed(0)} requests/s (${(cpuShare * 100).toFixed(0)}% of a core), ` +
        `load ${(load.requests / load.seconds).toFixed(0)} requests/s, p50 ${load.p50} µs, p99 ${load.p99} µs, ` +
        `memory ${usage.residentMib} MiB, heap ${usage.heapMib} MiB, peak ${usage.peakMib} MiB`,
    );
  }
  const connectionsAfter = await findConnections(postgres, url);
  await server.stop();

  const rateReached = requests / intendedRequests;
  const first = memory[0];
  const last = memory.at(-1);
  if (!first || !last) throw new Error('No memory was read.');
  const result = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    machine,
    minutes,
    requests,
    shareOfMaximumRate: roundDigits(rateReached * LOAD_SHARE),
    memoryAfterFirstMinute: first,
    memoryAfterLastMinute: last,
    memoryGrowth: roundDigits(last.residentMib / first.residentMib),
    heapGrowth: roundDigits(last.heapMib / first.heapMib),
    databaseConnections: connectionsAfter.length,
  };
  console.log(JSON.stringify(result, null, 2));
  if (minutes >= MIN_MINUTES_TO_SAVE) {
    writeFileSync(join(import.meta.dirname, 'soak.json'), `${JSON.stringify(result, null, 2)}\n`);
    console.log('Wrote bench/soak.json');
  }
  if (rateReached < MIN_RATE_REACHED) throw new BenchmarkError('The rate was not reached.');
  if (Math.max(result.memoryGrowth, result.heapGrowth) > MAX_GROWTH) {
    throw new BenchmarkError('Memory grew.');
  }
  const expected = connections.map(({ pid }) => ({ pid, state: 'idle' }));
  if (!isDeepStrictEqual(connectionsAfter, expected)) {
    const found = JSON.stringify(connectionsAfter);
    throw new BenchmarkError(`The connections to the database have changed: ${found}`);
  }
}

/**
 * Creates the rows that requests by id use. Returns their ids, separated by commas.
 *
 * @param {Server} server
 * @param {string} token
 */
async function createRows({ url }, token) {
  const ids = [];
  for (let row = 1; row <= ROWS; row++) {
    const response = await fetch(url + PATH, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: `Rex ${row}`, kind: 'dog', weight: 12.5 }),
    });
    const { id } = await response.json();
    ids.push(id);
  }
  return ids.join(',');
}

/**
 * Makes the service read the keys of the issuer again. That is its third `fetch()`, for which Node.js compiles the
 * parser of responses: the memory grows by 10 MiB, once.
 *
 * @param {Server} server
 * @param {string} token
 */
async function readKeysAgain({ url }, token) {
  const header = Buffer.from('{"alg":"ES256","kid":"unknown"}').toString('base64url');
  const authorization = `Bearer ${token.replace(/^[^.]+/, header)}`;
  const { status } = await fetch(url + PATH, { headers: { authorization } });
  if (status !== 401) throw new BenchmarkError(`A token with an unknown key got ${status}.`);
}

/**
 * Returns the connections of the service.
 *
 * @param {import('../test/fixtures/postgres-server.js').PostgresServer} postgres
 * @param {string} url
 */
async function findConnections(postgres, url) {
  const rows = await postgres.query(
    "select pid, state from pg_stat_activity where application_name = 'petsage-api' order by pid",
    url,
  );
  return rows.map(({ pid, state }) => ({ pid, state }));
}

/**
 * Sends requests of all kinds.
 *
 * @param {Server} server
 * @param {number} rate in requests per second; 0 is as many as possible
 * @param {number} seconds
 * @param {string[]} args the token, and the ids of rows
 * @throws BenchmarkError if a request failed
 */
async function sendRequests(server, rate, seconds, args) {
  const options = { seconds, connections: CONNECTIONS, args: [rate.toFixed(0), ...args] };
  const result = await runWrk(server.url, 'soak.lua', options);
  if (result.timeouts + result.errors + result.unexpected > 0) {
    throw new BenchmarkError(`Requests failed: ${JSON.stringify(result)}`);
  }
  return result;
}

/**
 * Reads the memory of the service after a garbage collection, in MiB.
 *
 * @param {Server} server
 */
async function readMemory({ child }) {
  child.send('read-memory');
  const [{ rss, heapUsed, peakRss }] = await once(child, 'message');
  return {
    residentMib: roundDigits(rss / 1024 ** 2),
    heapMib: roundDigits(heapUsed / 1024 ** 2),
    peakMib: roundDigits(peakRss / 1024 ** 2),
  };
}
