// Verifies that all servers do the same work.
import assert from 'node:assert/strict';
import { LIVENESS_PATH, startServer } from './server.js';

const SMOKE_TEST = '/api/v1/system/smoke-test';

/** @typedef {{ method?: string, path: string, json?: string, status: number, body: string }} Case */

/**
 * The requests that all servers respond to with the same status and body.
 *
 * @type {Case[]}
 */
const CASES = [
  {
    path: LIVENESS_PATH,
    status: 200,
    body: '{"status":"ok","message":"PetSage API is alive and running!"}',
  },
  {
    path: SMOKE_TEST,
    json: '{"ping":"🐈 x","more":1}',
    status: 200,
    body: '{"status":"ok","message":"PetSage system is operational.","pong":"🐈 x","timestamp":"NOW"}',
  },
  {
    path: SMOKE_TEST,
    json: '{}',
    status: 422,
    body: '{"detail":[{"type":"missing","loc":["body","ping"],"msg":"Field required","input":{}}]}',
  },
  {
    path: SMOKE_TEST,
    json: '{"ping":1}',
    status: 422,
    body: '{"detail":[{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":1}]}',
  },
];

/** Headers whose value differs between responses or frameworks. */
const VARYING_HEADERS = ['x-request-id', 'date', 'keep-alive', 'content-type'];

/**
 * Verifies that all servers do the same work, and that nest-fastify-headers sends the headers that
 * PetSage API sends.
 *
 * @param {import('./peers.js').Peer[]} servers
 */
export async function verifyServers(servers) {
  /** @type {Record<string, object>} */
  const headers = {};
  for (const peer of servers) {
    const { name, isStartOnly } = peer;
    const server = await startServer(peer);
    await verifyResponses(name, server.url, isStartOnly ? CASES.slice(0, 1) : CASES);
    headers[name] = await readHeaders(server.url);
    await server.stop();
  }
  if (headers['nest-fastify-headers']) {
    assert.deepEqual(
      headers['nest-fastify-headers'],
      headers.petsage,
      'Adapt the headers in bench/peers/nest/nest-fastify-headers.ts to the headers of PetSage API.',
    );
  }
}

/**
 * @param {string} name
 * @param {string} url
 * @param {Case[]} cases
 */
export async function verifyResponses(name, url, cases) {
  for (const { path, json, method = json ? 'POST' : 'GET', status, body } of cases) {
    const response = await fetch(url + path, {
      method,
      ...(json && { body: json, headers: { 'Content-Type': 'application/json' } }),
    });
    const text = await response.text();
    const actual = {
      status: response.status,
      type: response.headers.get('content-type')?.replace(/;.*/, ''),
      body: text.replace(/(?<="timestamp":")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, 'NOW'),
    };
    const expected = { status, type: 'application/json', body };
    assert.deepEqual(actual, expected, `${name}: ${method} ${path} ${json}`);
  }
}

/** @param {string} url */
async function readHeaders(url) {
  const response = await fetch(url + LIVENESS_PATH);
  await response.text();
  const headers = [...response.headers];
  return Object.fromEntries(
    headers.map(([name, value]) => [name, VARYING_HEADERS.includes(name) ? '(varies)' : value]),
  );
}
