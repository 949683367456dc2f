// Measures how the number of features affects PetSage API and its peers.
import { setTimeout } from 'node:timers/promises';
import { buildPetsageWithFeatures, formatId } from './petsage-features.js';
import { readResidentMib, SETTLE_MS, startServer } from './server.js';
import { summarizeFeatures } from './statistics.js';
import { verifyResponses } from './verification.js';
import { formatLoad, measureLoad, REQUESTS } from './wrk.js';

/** @typedef {import('./wrk.js').Request} Request */

/** Peers whose differences from the others do not depend on the number of features. */
const EXCLUDED_PEERS = ['nest-fastify-headers', 'nest-empty'];

/**
 * Measures all servers with each number of features. Requests go to the last feature.
 *
 * @param {import('./peers.js').Peer[]} peers
 * @param {number[]} counts
 * @param {import('./results.js').RoundSettings} settings
 */
export async function measureFeatures(peers, counts, settings) {
  const { starts, rounds, roundSeconds, rampUpSeconds, warmUpSeconds, connections } = settings;
  console.error('Building PetSage API with each number of features');
  const builds = await buildPetsageWithFeatures(counts);
  const all = peers
    .filter(({ name }) => !EXCLUDED_PEERS.includes(name))
    .flatMap((peer) => counts.map((features) => createSamples(peer, features, builds)));
  const running = [];
  for (let start = 1; start <= starts; start++) {
    for (const samples of all) {
      // Start-up and memory are reported for the lowest and the highest number only.
      const isReported = [Math.min(...counts), Math.max(...counts)].includes(samples.features);
      if (start < starts && !isReported) continue;
      const server = await startServer(samples);
      await setTimeout(SETTLE_MS);
      samples.startMs.push(server.startMs);
      samples.idleMib.push(readResidentMib(server));
      console.error(
        `Start ${start}/${starts}, ${formatName(samples)}: ${server.startMs.toFixed(0)} ms`,
      );
      if (start < starts) await server.stop();
      else running.push({ server, samples });
    }
  }
  for (const { server, samples } of running) {
    await verifyResponses(formatName(samples), server.url, createCases(samples));
    if (warmUpSeconds === 0) continue;
    for (const request of Object.values(samples.requests)) {
      await measureLoad(server, request, { connections, seconds: warmUpSeconds });
    }
    console.error(`Warm-up, ${formatName(samples)}`);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { server, samples } of running) {
      // While a server is idle, V8 shrinks its heap and discards compiled code.
      if (rampUpSeconds > 0) {
        await measureLoad(server, samples.requests.get, { connections, seconds: rampUpSeconds });
      }
      for (const [name, request] of Object.entries(samples.requests)) {
        const load = await measureLoad(server, request, { connections, seconds: roundSeconds });
        (samples.loads[name] ??= []).push(load);
        console.error(
          `Round ${round}/${rounds}, ${formatName(samples)}: ${formatLoad(name, load)}`,
        );
      }
    }
    // Alternating the order cancels out a steady drift of the machine's speed.
    running.reverse();
  }
  for (const { server } of running) await server.stop();
  return summarizeFeatures(all);
}

/**
 * @param {import('./peers.js').Peer} peer
 * @param {number} features
 * @param {Map<number, string>} builds
 */
function createSamples(peer, features, builds) {
  const { name, label } = peer;
  const isPetsage = name === 'petsage';
  return {
    name,
    label,
    features,
    command: isPetsage ? [process.execPath, builds.get(features) ?? ''] : peer.command,
    requests: createRequests(features, isPetsage),
    startMs: /** @type {number[]} */ ([]),
    idleMib: /** @type {number[]} */ ([]),
    loads: /** @type {Record<string, import('./wrk.js').Load[]>} */ ({}),
  };
}

/**
 * @param {number} features
 * @param {boolean} isPetsage
 * @returns {{ get: Request, post: Request, [name: string]: Request }}
 */
function createRequests(features, isPetsage) {
  const path = `/feature-${formatId(features)}`;
  return {
    get: { method: 'GET', path: `${path}/smoke-test`, status: 200 },
    post: { ...REQUESTS.post, path },
    ...(isPetsage && {
      echo: REQUESTS.post,
      notFound: { method: 'GET', path: '/unknown', status: 404 },
      methodNotAllowed: { method: 'DELETE', path, status: 405 },
    }),
  };
}

/**
 * Returns the responses of the last feature, which are the same for all servers.
 *
 * @param {ReturnType<typeof createSamples>} samples
 */
function createCases({ features, requests: { get, post, notFound, methodNotAllowed } }) {
  const name = `feature_${formatId(features)}`;
  /** @param {string} error */
  const createDetail = (error) => `{"detail":[{${error}}]}`;
  return [
    {
      ...get,
      body: `{"status":"ok","feature":"${name}","message":"PetSage ${name} is functional!"}`,
    },
    { ...post, json: '{"ping":"🐈 x","more":1}', body: '{"ping":"🐈 x"}' },
    {
      ...post,
      json: '{}',
      status: 422,
      body: createDetail(
        '"type":"missing","loc":["body","ping"],"msg":"Field required","input":{}',
      ),
    },
    ...(notFound ? [{ ...notFound, body: '{"detail":"Not Found"}' }] : []),
    ...(methodNotAllowed ? [{ ...methodNotAllowed, body: '{"detail":"Method Not Allowed"}' }] : []),
  ];
}

/** @param {{ label: string, features: number }} samples */
function formatName({ label, features }) {
  return `${label}, features: ${features}`;
}
