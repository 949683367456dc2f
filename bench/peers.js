// What PetSage is measured against: how each peer is run, and the proof that all do the same work.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, LIVENESS, Refusal, run, startServer, tryRun } from './processes.js';

const folder = join(import.meta.dirname, 'peers');
const python = join(folder, '.venv/bin/python');
const main = join(import.meta.dirname, '../dist/main.js');

/** @param {string[]} args */
const node = (...args) => [process.execPath, ...args];

/**
 * @typedef {object} Peer
 * @property {string} label
 * @property {string[]} command
 * @property {boolean} [isLoaded] false: it is there for its start and its memory alone
 */

/** The peer that all others are compared to. */
export const BASE = 'node-http';

/** The service itself, as `npm start` runs it. */
export const PETSAGE = 'petsage';

/** Every peer by its name. */
export const PEERS = /** @satisfies {Record<string, Peer>} */ ({
  [BASE]: { label: 'node:http', command: node(join(folder, 'node-http.js')) },
  fastify: { label: 'Fastify', command: node(join(folder, 'fastify.js')) },
  express: { label: 'Express', command: node(join(folder, 'express.js')) },
  'nest-fastify': { label: 'Nest on Fastify', command: node(join(folder, 'dist/nest-fastify.js')) },
  'nest-fastify-headers': {
    label: 'Nest on Fastify + headers',
    command: node(join(folder, 'dist/nest-fastify-headers.js')),
  },
  [PETSAGE]: { label: 'PetSage API', command: node(main) },
  'nest-express': { label: 'Nest on Express', command: node(join(folder, 'dist/nest-express.js')) },
  'nest-empty': {
    label: 'Nest, empty',
    command: node(join(folder, 'dist/nest-empty.js')),
    isLoaded: false,
  },
  fastapi: { label: 'FastAPI', command: [python, join(folder, 'fastapi-app.py')] },
});

/** @typedef {keyof typeof PEERS} PeerName */

/**
 * A peer by its name.
 *
 * @param {PeerName} name
 * @returns {Peer}
 */
export function peer(name) {
  return PEERS[name];
}

/**
 * Installs and builds what the peers need.
 *
 * @param {(line: string) => void} tell
 * @returns {Promise<{ names: PeerName[], versions: Record<string, string> }>} the peers that can be
 *   run, and the versions of what they are made of
 * @throws Refusal when the service itself is not built
 */
export async function preparePeers(tell) {
  if (!existsSync(main)) throw new Refusal('dist/main.js is missing. Run: npm run build');
  // npm writes this file last, so without it the installation is not complete.
  if (!existsSync(join(folder, 'node_modules/.package-lock.json'))) {
    tell('Installing the peers');
    await run(['npm', 'ci', '--no-audit', '--no-fund'], { cwd: folder });
  }
  tell('Building the Nest peers');
  await run(node('node_modules/typescript/bin/tsc'), { cwd: folder });
  const pythonVersions = await preparePython(tell);
  const names = /** @type {PeerName[]} */ (Object.keys(PEERS)).filter(
    (name) => name !== 'fastapi' || pythonVersions !== undefined,
  );
  return { names, versions: { ...packageVersions(), ...pythonVersions } };
}

/**
 * FastAPI with what it needs, in an environment of its own.
 *
 * @param {(line: string) => void} tell
 * @returns {Promise<Record<string, string> | undefined>} versions, or undefined without FastAPI
 */
async function preparePython(tell) {
  const requirements = join(folder, 'requirements.txt');
  const names = ['fastapi', 'pydantic', 'uvicorn', 'uvloop', 'httptools'];
  const script = `import json, platform, importlib.metadata as m
print(json.dumps({"python": platform.python_version(), **{n: m.version(n) for n in ${JSON.stringify(names)}}}))`;
  const versions = () => tryRun([python, '-c', script]);
  let found = await versions();
  if (found === undefined) {
    tell('Installing FastAPI');
    try {
      await run(['python3', '-m', 'venv', join(folder, '.venv')]);
      await run([python, '-m', 'pip', 'install', '--quiet', '-r', requirements]);
      found = await versions();
    } catch (error) {
      tell(`FastAPI is left out: it could not be installed. ${String(error)}`);
    }
  }
  return found === undefined ? undefined : JSON.parse(found);
}

/** The versions of the peers' packages, and of the service's own Nest and Express. */
function packageVersions() {
  const { dependencies } = readJson(join(folder, 'package.json'));
  const own = join(import.meta.dirname, '../node_modules');
  /** @param {string} path */
  const version = (path) => String(readJson(join(path, 'package.json')).version);
  return {
    ...Object.fromEntries(
      Object.keys(dependencies).map((name) => [name, version(join(folder, 'node_modules', name))]),
    ),
    ...Object.fromEntries(
      ['@nestjs/core', 'express'].map((name) => [`petsage: ${name}`, version(join(own, name))]),
    ),
  };
}

/** @param {string} path */
function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

const SMOKE_TEST = '/api/v1/system/smoke-test';

/**
 * What every peer has to answer, byte for byte: what is asked, the status, the body.
 *
 * @type {[method: string, path: string, body: string | undefined, status: number, answer: string][]}
 */
const ANSWERS = [
  [
    'GET',
    LIVENESS,
    undefined,
    200,
    '{"status":"ok","message":"PetSage API is alive and running!"}',
  ],
  [
    'POST',
    SMOKE_TEST,
    '{"ping":"🐈 x","more":1}',
    200,
    '{"status":"ok","message":"PetSage system is operational.","pong":"🐈 x","timestamp":"NOW"}',
  ],
  [
    'POST',
    SMOKE_TEST,
    '{}',
    422,
    '{"detail":[{"type":"missing","loc":["body","ping"],"msg":"Field required","input":{}}]}',
  ],
  [
    'POST',
    SMOKE_TEST,
    '{"ping":1}',
    422,
    '{"detail":[{"type":"string_type","loc":["body","ping"],"msg":"Input should be a valid string","input":1}]}',
  ],
];

/** Headers that differ from answer to answer, or by the framework's way of writing the same. */
const VARYING = new Set(['x-request-id', 'date', 'keep-alive', 'content-type']);

/**
 * Checks that the peers do the same work, and that the one with PetSage's headers has them.
 *
 * @param {PeerName[]} names
 * @throws Refusal that says which peer differs
 */
export async function checkPeers(names) {
  /** @type {Partial<Record<PeerName, import('node:http').IncomingHttpHeaders>>} */
  const headers = {};
  for (const name of names) {
    const { command, isLoaded = true } = peer(name);
    const server = await startServer(command);
    for (const expected of isLoaded ? ANSWERS : ANSWERS.slice(0, 1)) {
      await checkAnswer(name, server.port, expected);
    }
    headers[name] = (await ask(server.port, 'GET', LIVENESS)).headers;
    await server.stop();
  }
  /** @param {PeerName} name */
  const comparable = (name) =>
    Object.fromEntries(
      Object.entries(headers[name] ?? {}).map(([key, value]) =>
        VARYING.has(key) ? [key, '(any)'] : [key, value],
      ),
    );
  try {
    assert.deepEqual(comparable('nest-fastify-headers'), comparable(PETSAGE));
  } catch (error) {
    throw new Refusal(`nest-fastify-headers has other headers than petsage: ${String(error)}`);
  }
}

/**
 * @param {PeerName} name
 * @param {number} port
 * @param {(typeof ANSWERS)[number]} expected
 */
async function checkAnswer(name, port, [method, path, sent, status, answer]) {
  const actual = await ask(port, method, path, sent);
  const body = actual.body.replace(
    /(?<="timestamp":")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/,
    (time) => (Math.abs(Date.parse(time) - Date.now()) < 5000 ? 'NOW' : time),
  );
  const type = actual.headers['content-type'] ?? 'no content type';
  if (actual.status !== status || body !== answer || !/^application\/json\b/.test(type)) {
    throw new Refusal(
      `${name} does other work than the rest. ${method} ${path} ${sent ?? ''}\n` +
        `expected ${status} application/json ${answer}\nfound    ${actual.status} ${type} ${body}`,
    );
  }
}
