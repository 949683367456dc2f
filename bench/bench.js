// Measures PetSage API against its peers, or against another build of itself.
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { exitWithError, prepareMachine, run } from './machine.js';
import { PETSAGE, prepareBaseline, preparePeers } from './peers.js';
import { saveRun } from './results.js';
import { readResidentMib, startServer } from './server.js';
import { summarizeServers } from './statistics.js';
import { formatRun } from './tables.js';
import { verifyServers } from './verification.js';
import { measureLoad, SCENARIOS } from './wrk.js';

/** @typedef {import('./peers.js').Peer} Peer */
/** @typedef {import('./results.js').ConnectionLoad} ConnectionLoad */
/** @typedef {import('./results.js').Settings} Settings */

const HELP = `Measures PetSage API (dist/main.js) on the version of Node.js that runs this script.

  node bench/bench.js                  all peers, 12 minutes; writes bench/results.json,
                                       RESULTS.md and results.svg
  node bench/bench.js --baseline DIR   this build against the one in DIR, 7 minutes; writes nothing

Options:
  --baseline DIR   another checkout of this repository, with its own node_modules and dist
  --quick          few and short rounds, to try the benchmark; writes nothing
  -h, --help       print this text

Build first: npm run build. Run nothing else on the machine meanwhile.
Another version of Node.js: npx --yes --package=node@24 -- node bench/bench.js`;

/** @type {Settings} */
const FULL = {
  starts: 5,
  rounds: 9,
  roundSeconds: 2,
  rampUpSeconds: 1,
  warmUpSeconds: 5,
  connections: 50,
  connectionSeconds: 4,
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
};

const CONNECTION_COUNTS = [10, 100, 1000];

/** The time between the first response and the reading of the idle memory. */
const SETTLE_MS = 1000;

await main().catch(exitWithError);

async function main() {
  const { quick, baseline, help } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      baseline: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
  if (help) {
    console.log(HELP);
    return;
  }
  const settings = quick ? QUICK : baseline ? BASELINE : FULL;
  const machine = await prepareMachine();
  const { servers, versions } = await (baseline ? prepareBaseline(baseline) : preparePeers());
  console.error('Verifying that all servers do the same work');
  await verifyServers(servers);
  const result = {
    date: new Date().toISOString().slice(0, 10),
    command: ['node', 'bench/bench.js', ...process.argv.slice(2)].join(' '),
    machine,
    versions,
    settings,
    servers: await measureServers(servers, settings),
    connections: baseline ? [] : await measureConnections(settings),
  };
  console.log(await format(formatRun(result), { parser: 'markdown' }));
  if (quick || baseline) return;
  await saveRun(result);
  await run(process.execPath, [`${import.meta.dirname}/report.js`]);
  console.error('Wrote bench/results.json, bench/RESULTS.md and bench/results.svg');
}

/**
 * Measures starts, then loads. All servers run at the same time, but only one is under load at a time.
 * They are loaded in turn, in many short rounds, so that a slow minute of the machine affects them all.
 *
 * @param {Peer[]} peers
 * @param {Settings} settings
 */
async function measureServers(peers, settings) {
  const { starts, rounds, roundSeconds, rampUpSeconds, warmUpSeconds, connections } = settings;
  /** @type {(Peer & import('./statistics.js').Samples)[]} */
  const all = peers.map((peer) => ({ ...peer, startMs: [], idleMib: [], get: [], post: [] }));
  const running = [];
  for (let start = 1; start <= starts; start++) {
    for (const samples of all) {
      const server = await startServer(samples.command);
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
      await measureLoad(server, scenario, { connections, seconds: warmUpSeconds });
      console.error(`Warm-up, ${samples.name}: ${scenario}`);
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of SCENARIOS) {
      for (const { server, samples } of running) {
        // While a server is idle, V8 shrinks its heap and discards compiled code.
        await measureLoad(server, scenario, { connections, seconds: rampUpSeconds });
        const load = await measureLoad(server, scenario, { connections, seconds: roundSeconds });
        samples[scenario].push(load);
        samples.loadMib = readResidentMib(server);
        console.error(`Round ${round}/${rounds}, ${samples.name}: ${formatLoad(scenario, load)}`);
      }
    }
    // Alternating the order cancels out a steady drift of the machine's speed.
    running.reverse();
  }
  for (const { server } of running) await server.stop();
  return summarizeServers(all);
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
    const server = await startServer(PETSAGE.command);
    for (const scenario of SCENARIOS) {
      await measureLoad(server, scenario, { connections, seconds: warmUpSeconds });
      const load = await measureLoad(server, scenario, { connections, seconds: connectionSeconds });
      loads.push({ connections, scenario, ...load });
      console.error(`${connections} connections: ${formatLoad(scenario, load)}`);
    }
    await server.stop();
  }
  return loads;
}

/**
 * @param {import('./wrk.js').Scenario} scenario
 * @param {import('./wrk.js').Load} load
 */
function formatLoad(scenario, { requestsPerSecond, serverCpuShare, clientCpuShare }) {
  const [server, client] = [serverCpuShare, clientCpuShare].map((share) => Math.round(share * 100));
  return `${scenario} ${Math.round(requestsPerSecond)}/s, server ${server}% and wrk ${client}% of a core`;
}
