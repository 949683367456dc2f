// Measures PetSage API against its peers, or against another build of itself.
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { measureFeatures } from './features.js';
import { measureLatencies } from './latency.js';
import { BenchmarkError, exitWithError, prepareMachine, run } from './machine.js';
import { readOhaVersion } from './oha.js';
import { PETSAGE, prepareBaseline, preparePeers } from './peers.js';
import { measureResources } from './resources.js';
import { saveRun } from './results.js';
import { readResidentMib, SETTLE_MS, startServer } from './server.js';
import { summarizeServers } from './statistics.js';
import { formatFeatureRun, formatResourceRun, formatRun } from './tables.js';
import { verifyServers } from './verification.js';
import { formatLoad, measureLoad, REQUESTS, SCENARIOS } from './wrk.js';

/** @typedef {import('./peers.js').Peer} Peer */
/** @typedef {import('./results.js').ConnectionLoad} ConnectionLoad */
/** @typedef {import('./results.js').Settings} Settings */

const HELP = `Measures PetSage API (dist/main.js) on the version of Node.js that runs this script.

  node bench/bench.js                            all peers, 15 minutes; writes bench/results.json,
                                                 RESULTS.md and results.svg
  node bench/bench.js --features 1,30,100,300    all peers with each number of features, 12 minutes;
                                                 writes bench/results.json, RESULTS.md and features.svg
  node bench/bench.js --resources                a generated resource against peers, on PostgreSQL, 10 minutes;
                                                 writes bench/results.json and RESULTS.md
  node bench/bench.js --baseline DIR             this build against the one in DIR, 7 minutes;
                                                 writes nothing

Options:
  --features N,…   the numbers of features. One number alone writes nothing
  --baseline DIR   another checkout of this repository, with its own node_modules and dist
  --quick          few and short rounds, to try the benchmark; writes nothing
  -h, --help       print this text

Build first: npm run build. Run nothing else on the machine meanwhile.
Another version of Node.js: npx --yes --package=node@24 -- node bench/bench.js`;

/** @type {Settings} */
const FULL = {
  starts: 5,
  rounds: 7,
  roundSeconds: 2,
  rampUpSeconds: 1,
  warmUpSeconds: 5,
  connections: 50,
  connectionSeconds: 4,
  latencyRounds: 2,
  latencySeconds: 3,
};

/** More rounds, because two builds differ by a few percent only. */
const BASELINE = { ...FULL, rounds: 21 };

const QUICK = {
  ...FULL,
  starts: 1,
  rounds: 2,
  roundSeconds: 1,
  warmUpSeconds: 1,
  connectionSeconds: 1,
  latencyRounds: 1,
  latencySeconds: 1,
};

/** Short rounds, because there is a server for each number of features. */
const FEATURES = {
  starts: 3,
  rounds: 5,
  roundSeconds: 1,
  rampUpSeconds: 1,
  warmUpSeconds: 1,
  connections: 50,
};

const QUICK_FEATURES = { ...FEATURES, starts: 1, rounds: 1, rampUpSeconds: 0, warmUpSeconds: 0 };

/** The pools have ten connections to PostgreSQL: with 20 from clients, none of them is idle. */
const RESOURCES = {
  rounds: 9,
  roundSeconds: 2,
  rampUpSeconds: 1,
  warmUpSeconds: 4,
  connections: 20,
};

const QUICK_RESOURCES = { ...RESOURCES, rounds: 2, roundSeconds: 1, warmUpSeconds: 1 };

const CONNECTION_COUNTS = [10, 100, 1000];

const OHA_IS_MISSING =
  'oha was not found, so the latency at a constant rate is not measured. ' +
  'Install it: cargo install --locked oha';

await main().catch(exitWithError);

async function main() {
  const { quick, baseline, features, resources, help } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      baseline: { type: 'string' },
      features: { type: 'string' },
      resources: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
  if (help) {
    console.log(HELP);
    return;
  }
  if ([features, baseline, resources].filter(Boolean).length > 1) {
    throw new BenchmarkError('--features, --resources and --baseline exclude each other.');
  }
  const counts = features === undefined ? [] : parseCounts(features);
  const machine = await prepareMachine();
  const { servers, resourceServers, versions } = await (baseline
    ? prepareBaseline(baseline)
    : preparePeers());
  const environment = {
    date: new Date().toISOString().slice(0, 10),
    command: ['node', 'bench/bench.js', ...process.argv.slice(2)].join(' '),
    machine,
    versions,
  };
  if (counts.length > 0) {
    const settings = quick ? QUICK_FEATURES : FEATURES;
    const summaries = await measureFeatures(servers, counts, settings);
    const result = { ...environment, settings, servers: summaries };
    await printMarkdown(formatFeatureRun(result));
    if (quick || counts.length === 1) return;
    await saveRun('features', result);
  } else if (resources) {
    const settings = quick ? QUICK_RESOURCES : RESOURCES;
    const { postgres, summaries } = await measureResources(resourceServers, settings);
    const result = {
      ...environment,
      versions: { ...versions, postgres },
      settings,
      servers: summaries,
    };
    await printMarkdown(formatResourceRun(result));
    if (quick) return;
    await saveRun('resources', result);
  } else {
    const settings = quick ? QUICK : baseline ? BASELINE : FULL;
    const oha = baseline ? undefined : await readOhaVersion();
    if (!baseline && oha === undefined) console.error(OHA_IS_MISSING);
    console.error('Verifying that all servers do the same work');
    await verifyServers(servers);
    const result = {
      ...environment,
      machine: { ...machine, ...(oha && { oha }) },
      settings,
      ...(await measureServers(servers, settings, oha !== undefined)),
      connections: baseline ? [] : await measureConnections(settings),
    };
    await printMarkdown(formatRun(result));
    if (quick || baseline) return;
    await saveRun('servers', result);
  }
  await run(process.execPath, [`${import.meta.dirname}/report.js`]);
  console.error('Wrote bench/results.json, bench/RESULTS.md and the charts');
}

/**
 * @param {string} text
 * @returns {number[]} in ascending order
 */
function parseCounts(text) {
  const counts = text.split(',').map(Number);
  if (!counts.every((count) => Number.isInteger(count) && count >= 1 && count <= 1000)) {
    throw new BenchmarkError(`--features must be numbers from 1 to 1000, but is ${text}.`);
  }
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** @param {string} text */
async function printMarkdown(text) {
  console.log(await format(text, { parser: 'markdown' }));
}

/**
 * Measures starts, then loads. All servers run at the same time, but only one is under load at a time.
 * They are loaded in turn, in many short rounds, so that a slow minute of the machine affects them all.
 *
 * @param {Peer[]} peers
 * @param {Settings} settings
 * @param {boolean} hasOha
 */
async function measureServers(peers, settings, hasOha) {
  const { starts, rounds, roundSeconds, rampUpSeconds, warmUpSeconds, connections } = settings;
  /** @type {(Peer & import('./statistics.js').Samples)[]} */
  const all = peers.map((peer) => ({ ...peer, startMs: [], idleMib: [], get: [], post: [] }));
  const running = [];
  for (let start = 1; start <= starts; start++) {
    for (const samples of all) {
      const server = await startServer(samples);
      await setTimeout(SETTLE_MS);
      samples.startMs.push(server.startMs);
      samples.idleMib.push(readResidentMib(server));
      console.error(`Start ${start}/${starts}, ${samples.name}: ${server.startMs.toFixed(0)} ms`);
      if (start < starts || samples.isStartOnly) await server.stop();
      else running.push({ server, samples });
    }
  }
  for (const { server, samples } of running) {
    for (const scenario of SCENARIOS) {
      await measureLoad(server, REQUESTS[scenario], { connections, seconds: warmUpSeconds });
      console.error(`Warm-up, ${samples.name}: ${scenario}`);
    }
  }
  const order = [...running];
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of SCENARIOS) {
      for (const { server, samples } of order) {
        const request = REQUESTS[scenario];
        // While a server is idle, V8 shrinks its heap and discards compiled code.
        await measureLoad(server, request, { connections, seconds: rampUpSeconds });
        const load = await measureLoad(server, request, { connections, seconds: roundSeconds });
        samples[scenario].push(load);
        samples.loadMib = readResidentMib(server);
        console.error(`Round ${round}/${rounds}, ${samples.name}: ${formatLoad(scenario, load)}`);
      }
    }
    // Alternating the order cancels out a steady drift of the machine's speed.
    order.reverse();
  }
  const latency = hasOha ? await measureLatencies(running, settings) : undefined;
  for (const { server } of running) await server.stop();
  return { servers: summarizeServers(all), ...(latency && { latency }) };
}

/**
 * Measures PetSage API with few and with many connections.
 *
 * @param {Settings} settings
 */
async function measureConnections({ warmUpSeconds, connectionSeconds }) {
  /** @type {ConnectionLoad[]} */
  const loads = [];
  for (const connections of CONNECTION_COUNTS) {
    const server = await startServer(PETSAGE);
    for (const scenario of SCENARIOS) {
      const request = REQUESTS[scenario];
      await measureLoad(server, request, { connections, seconds: warmUpSeconds });
      const load = await measureLoad(server, request, { connections, seconds: connectionSeconds });
      loads.push({ connections, scenario, ...load });
      console.error(`${connections} connections: ${formatLoad(scenario, load)}`);
    }
    await server.stop();
  }
  return loads;
}
