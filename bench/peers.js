// The servers that are measured: PetSage API and its peers.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BenchmarkError, run } from './machine.js';

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} label
 * @property {string[]} command
 * @property {number} [features] the number of features besides the two routes
 * @property {boolean} [isStartOnly] measure start-up and idle memory, but no load
 */

const ROOT = resolve(import.meta.dirname, '..');
const BENCH_DIR = import.meta.dirname;
const PEERS_DIR = join(BENCH_DIR, 'peers');
const PYTHON = join(PEERS_DIR, '.venv/bin/python');

/**
 * @param {string} name
 * @param {string} label
 * @param {string} path
 * @returns {Peer}
 */
function createNodePeer(name, label, path) {
  return { name, label, command: [process.execPath, path] };
}

const NODE_HTTP = createNodePeer('node-http', 'node:http', join(PEERS_DIR, 'node-http.js'));

/** PetSage API, started as in production. */
export const PETSAGE = createNodePeer('petsage', 'PetSage API', join(ROOT, 'dist/main.js'));

/** @type {Peer[]} */
const PEERS = [
  NODE_HTTP,
  createNodePeer('fastify', 'Fastify', join(PEERS_DIR, 'fastify.js')),
  createNodePeer('express', 'Express', join(PEERS_DIR, 'express.js')),
  createNodePeer('nest-fastify', 'Nest on Fastify', join(PEERS_DIR, 'dist/nest/nest-fastify.js')),
  createNodePeer(
    'nest-fastify-headers',
    'Nest on Fastify + headers',
    join(PEERS_DIR, 'dist/nest/nest-fastify-headers.js'),
  ),
  PETSAGE,
  createNodePeer('nest-express', 'Nest on Express', join(PEERS_DIR, 'dist/nest/nest-express.js')),
  {
    ...createNodePeer('nest-empty', 'Nest, empty', join(PEERS_DIR, 'dist/nest/nest-empty.js')),
    isStartOnly: true,
  },
  { name: 'fastapi', label: 'FastAPI', command: [PYTHON, join(PEERS_DIR, 'fastapi-app.py')] },
];

/**
 * The servers of pet profiles that are stored in PostgreSQL, besides PetSage API.
 *
 * @type {Peer[]}
 */
const RESOURCE_PEERS = [
  createNodePeer('node-http', 'node:http + pg', join(PEERS_DIR, 'resource-node-http.js')),
  createNodePeer(
    'nest-typeorm',
    'Nest on Express + TypeORM',
    join(PEERS_DIR, 'dist/nest/resource-typeorm.js'),
  ),
  {
    name: 'fastapi',
    label: 'FastAPI + SQLAlchemy + asyncpg',
    command: [PYTHON, join(PEERS_DIR, 'resource-fastapi.py')],
  },
];

/**
 * Installs and builds all peers.
 *
 * @returns the servers, and the versions of everything they consist of. FastAPI is missing where it
 *   can't be installed.
 */
export async function preparePeers() {
  const petsage = await readRevision(ROOT);
  // npm writes this file last: without it, the installation is incomplete.
  if (!existsSync(join(BENCH_DIR, 'node_modules/.package-lock.json'))) {
    console.error('Installing the Node.js peers');
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: BENCH_DIR });
  }
  console.error('Building the Nest peers');
  await run('npm', ['run', 'build'], { cwd: BENCH_DIR });
  const { dependencies } = readJson(join(BENCH_DIR, 'package.json'));
  const pythonVersions = await installFastApi();
  const isInstalled = (/** @type {Peer} */ { name }) => name !== 'fastapi' || pythonVersions;
  return {
    servers: PEERS.filter(isInstalled),
    resourceServers: RESOURCE_PEERS.filter(isInstalled),
    versions: {
      petsage,
      node: process.versions.node,
      ...readPackageVersions(BENCH_DIR, Object.keys(dependencies)),
      ...readPackageVersions(ROOT, ['@nestjs/core', 'express', 'kysely', 'pg'], 'petsage: '),
      ...pythonVersions,
    },
  };
}

/**
 * Prepares the comparison of two builds of PetSage API.
 *
 * @param {string} directory another checkout, which is built
 */
export async function prepareBaseline(directory) {
  const root = resolve(directory);
  return {
    servers: [
      NODE_HTTP,
      PETSAGE,
      createNodePeer('petsage-baseline', 'PetSage API, baseline', join(root, 'dist/main.js')),
    ],
    resourceServers: [],
    versions: {
      petsage: await readRevision(ROOT),
      'petsage-baseline': await readRevision(root),
      node: process.versions.node,
    },
  };
}

/**
 * Reads the commit of a checkout, with the suffix `-dirty` if its sources differ from the commit.
 *
 * @param {string} root
 * @throws BenchmarkError if the checkout is not built
 */
async function readRevision(root) {
  if (!existsSync(join(root, 'dist/main.js'))) {
    throw new BenchmarkError(
      `${join(root, 'dist/main.js')} is missing. Run npm run build in ${root}`,
    );
  }
  try {
    const commit = await run('git', ['-C', root, 'rev-parse', '--short=12', 'HEAD']);
    const changes = await run('git', ['-C', root, 'status', '--porcelain', '--', 'src']);
    return commit.stdout.trim() + (changes.stdout ? '-dirty' : '');
  } catch {
    return 'unknown';
  }
}

/** Installs FastAPI. Returns the versions, or undefined if it can't be installed. */
async function installFastApi() {
  const requirements = join(PEERS_DIR, 'requirements.txt');
  try {
    if (!existsSync(PYTHON)) {
      console.error('Installing FastAPI');
      await run('python3', ['-m', 'venv', join(PEERS_DIR, '.venv')]);
    }
    await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', requirements]);
    const { stdout } = await run(PYTHON, ['--version']);
    const packages = readFileSync(requirements, 'utf8').matchAll(
      /^(fastapi|pydantic|uvicorn|uvloop|httptools|SQLAlchemy|asyncpg)==(.+)$/gm,
    );
    return {
      python: stdout.replace('Python', '').trim(),
      ...Object.fromEntries([...packages].map(([, name, version]) => [name, version])),
    };
  } catch (error) {
    console.error(`FastAPI is not measured, because it can't be installed: ${error}`);
    return undefined;
  }
}

/**
 * @param {string} directory
 * @param {string[]} names
 * @param {string} [prefix]
 */
function readPackageVersions(directory, names, prefix = '') {
  const { packages } = readJson(join(directory, 'node_modules/.package-lock.json'));
  return Object.fromEntries(
    names.map((name) => [prefix + name, String(packages[`node_modules/${name}`].version)]),
  );
}

/** @param {string} path */
function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
