// Measures a generated resource against peers that execute the same statements on the same table of PostgreSQL.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { buildPetsageWithFeature } from './petsage-features.js';
import { startPostgres } from './postgres.js';
import { startServer } from './server.js';
import { summarizeResources } from './statistics.js';
import { formatLoad, measureLoad } from './wrk.js';

/** @typedef {import('./peers.js').Peer} Peer */

/**
 * @typedef {object} RunningServer
 * @property {string} name
 * @property {string} label
 * @property {import('./server.js').Server} server
 * @property {Record<string, import('./wrk.js').Load[]>} loads
 */

const PAYLOAD = {
  feature: 'pet_profile',
  description: 'Profiles of pets',
  resource: true,
  public: true,
  fields: {
    name: 'string(1..80)!unique',
    kind: 'dog|cat!filter',
    birthday: 'date?',
    weight: 'number(0..200)?',
    tags: 'string[]',
  },
};

const PATH = '/api/v1/pet-profiles';
const FIELDS = { kind: 'cat', birthday: '2021-03-14', weight: 4.5, tags: ['indoor', 'shy 🐈'] };
const CHANGES = { weight: 5.25, tags: ['outdoor'] };

/** The number of rows that requests by id use in turn. Changes of a single row would wait for each other. */
const ROWS = 1000;

const LIMIT = 20;
const UNKNOWN_ID = '018f3a9c-5b0e-7cc3-98c4-dc0c0c07398f';
const POOL_SIZE = 10;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

/**
 * Creates the request of one run of wrk.
 *
 * @type {Record<string, (ids: string[]) => import('./wrk.js').Request>}
 */
const REQUESTS = {
  create: () => ({
    ...{ method: 'POST', path: PATH, status: 201 },
    json: JSON.stringify({ name: `Rex ${randomUUID()} COUNTER`, ...FIELDS }),
  }),
  get: (ids) => ({ method: 'GET', path: `${PATH}/`, ids, status: 200 }),
  list: () => ({ method: 'GET', path: PATH, status: 200 }),
  patch: (ids) => ({
    ...{ method: 'PATCH', path: `${PATH}/`, ids, status: 200 },
    json: JSON.stringify(CHANGES),
  }),
};

/**
 * Measures PetSage API and the peers in alternating rounds.
 *
 * @param {Peer[]} peers
 * @param {import('./results.js').ResourceSettings} settings
 * @returns the version of PostgreSQL, and the summaries of the servers
 */
export async function measureResources(peers, settings) {
  console.error('Building PetSage API with a resource');
  const main = await buildPetsageWithFeature(PAYLOAD);
  const petsage = { name: 'petsage', label: 'PetSage API', command: [process.execPath, main] };
  const postgres = await startPostgres();
  try {
    const variables = [
      `DATABASE_URL=${await postgres.createDatabase()}`,
      `DATABASE_POOL_SIZE=${POOL_SIZE}`,
      // PetSage API, which starts first, creates the table.
      'DATABASE_MIGRATE=true',
    ];
    const running = [];
    for (const { name, label, command } of [petsage, ...peers]) {
      const server = await startServer({ command: ['env', ...variables, ...command] });
      /** @type {Record<string, import('./wrk.js').Load[]>} */
      const loads = {};
      running.push({ name, label, server, loads });
    }
    console.error('Verifying that all servers do the same work');
    const ids = await verifyServers(running);
    await measureRounds(running, ids, settings);
    for (const { server } of running) await server.stop();
    const [row] = await postgres.query('SHOW server_version');
    return { postgres: String(row.server_version), summaries: summarizeResources(running) };
  } finally {
    await postgres.remove();
  }
}

/**
 * Loads one server at a time with one kind of request at a time.
 *
 * @param {RunningServer[]} running
 * @param {string[]} ids
 * @param {import('./results.js').ResourceSettings} settings
 */
async function measureRounds(running, ids, settings) {
  const { rounds, roundSeconds, rampUpSeconds, warmUpSeconds, connections } = settings;
  for (const { server, label } of running) {
    for (const createRequest of Object.values(REQUESTS)) {
      await measureLoad(server, createRequest(ids), { connections, seconds: warmUpSeconds });
    }
    console.error(`Warm-up, ${label}`);
  }
  const order = [...running];
  for (let round = 1; round <= rounds; round++) {
    for (const [name, createRequest] of Object.entries(REQUESTS)) {
      for (const { server, label, loads } of order) {
        // While a server is idle, V8 shrinks its heap and discards compiled code.
        await measureLoad(server, createRequest(ids), { connections, seconds: rampUpSeconds });
        const options = { connections, seconds: roundSeconds };
        const load = await measureLoad(server, createRequest(ids), options);
        if (load.errors > 0) throw new Error(`${label}, ${name}: ${load.errors} errors`);
        (loads[name] ??= []).push(load);
        console.error(`Round ${round}/${rounds}, ${label}: ${formatLoad(name, load)}`);
      }
    }
    // Alternating the order cancels out a steady drift of the machine's speed.
    order.reverse();
  }
}

/**
 * Verifies that all servers read and write the same rows, and respond with the same status and body.
 *
 * @param {RunningServer[]} running
 * @returns the ids of the rows that it creates
 */
async function verifyServers(running) {
  /** @type {string[]} */
  const ids = [];
  while (ids.length < ROWS) {
    for (const { label, server } of running) ids.push(await verifyCreate(label, server.url));
  }
  const [{ server: petsage }] = /** @type {[RunningServer]} */ (running);
  for (const [index, { label, server }] of running.entries()) {
    const path = `${PATH}/${ids[index]}`;
    const before = await send(petsage.url, 'GET', path);
    assert.deepEqual(await send(server.url, 'GET', path), before, `${label}: GET ${path}`);
    const changed = await send(server.url, 'PATCH', path, CHANGES);
    const { updatedAt } = changed.body;
    assert.match(updatedAt, TIME);
    assert.notEqual(updatedAt, before.body.updatedAt, `${label}: PATCH ${path}`);
    const expected = { ...before, body: { ...before.body, ...CHANGES, updatedAt } };
    assert.deepEqual(changed, expected, `${label}: PATCH ${path}`);
    assert.deepEqual(await send(petsage.url, 'GET', path), changed, `${label}: PATCH ${path}`);
    const list = await send(server.url, 'GET', PATH);
    assert.equal(list.body.items.length, LIMIT);
    assert.deepEqual(list, await send(petsage.url, 'GET', PATH), `${label}: GET ${PATH}`);
    const notFound = { status: 404, body: { detail: 'Pet profile not found' } };
    const unknown = `${PATH}/${UNKNOWN_ID}`;
    assert.deepEqual(await send(server.url, 'GET', unknown), notFound, `${label}: GET ${unknown}`);
  }
  return ids;
}

/**
 * Creates a row. Returns its id.
 *
 * @param {string} label
 * @param {string} url
 */
async function verifyCreate(label, url) {
  const fields = { name: `Luna ${randomUUID()}`, ...FIELDS };
  const { status, body } = await send(url, 'POST', PATH, fields);
  const { id, createdAt } = body;
  assert.match(id, UUID_V7);
  assert.match(createdAt, TIME);
  const expected = { id, ...fields, createdAt, updatedAt: createdAt };
  assert.deepEqual({ status, body }, { status: 201, body: expected }, `${label}: POST ${PATH}`);
  return /** @type {string} */ (id);
}

/**
 * @param {string} url
 * @param {string} method
 * @param {string} path
 * @param {object} [json]
 */
async function send(url, method, path, json) {
  const response = await fetch(url + path, {
    method,
    ...(json && { body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
}
