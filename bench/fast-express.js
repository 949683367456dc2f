// Measures what each part of src/fast-express gains.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitWithError, parseCount, prepareMachine } from './machine.js';
import { startServer } from './server.js';
import { median } from './statistics.js';
import { measureLoad, REQUESTS } from './wrk.js';

const PARTS = ['messageClasses', 'headersAsText', 'directDispatch', 'routeIndex', 'jsonReply'];

/** @type {Record<string, import('./wrk.js').Request>} */
const SCENARIOS = {
  ...REQUESTS,
  parameter: { method: 'GET', path: '/items-15/1', status: 200 },
};

const HELP = `Measures the CPU time per request with all parts of src/fast-express, divided by the time without each of
them. Prints the rows of the table in src/fast-express/README.md.

  npm run build && node bench/fast-express.js [--rounds 15]`;

await main().catch(exitWithError);

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '15' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const rounds = parseCount('--rounds', values.rounds);
  await measure(rounds);
}

/** @param {number} rounds */
async function measure(rounds) {
  await prepareMachine();
  /** @type {{ title: string, server: import('./server.js').Server }[]} */
  const servers = [];
  for (const without of [[], ...PARTS.map((part) => [part]), PARTS]) {
    const script = join(import.meta.dirname, 'fast-express-server.js');
    const server = await startServer({ command: [process.execPath, script, ...without] });
    servers.push({ title: without.length > 1 ? 'all' : (without[0] ?? ''), server });
  }
  console.log(`| Node ${process.version}, without | ${Object.keys(SCENARIOS).join(' | ')} |`);
  /** @type {Record<string, string[]>} */
  const rows = {};
  for (const request of Object.values(SCENARIOS)) {
    const samples = await measureScenario(
      servers.map(({ server }) => server),
      request,
      rounds,
    );
    for (const [index, { title }] of servers.entries()) {
      // The ratio of each round, because the speed of the machine changes between rounds.
      const ratios = samples.map((round) => (round[0] ?? NaN) / (round[index] ?? NaN));
      (rows[title] ??= []).push(median(ratios).toFixed(2));
    }
  }
  for (const [title, cells] of Object.entries(rows).slice(1)) {
    console.log(`| ${title} | ${cells.join(' | ')} |`);
  }
  for (const { server } of servers) await server.stop();
}

/**
 * Returns the CPU time per request in each round, by server.
 *
 * @param {import('./server.js').Server[]} servers
 * @param {import('./wrk.js').Request} request
 * @param {number} rounds
 */
async function measureScenario(servers, request, rounds) {
  /** @type {number[][]} */
  const samples = [];
  const order = servers.map((server, index) => ({ server, index }));
  // The first round is the warm-up.
  for (let round = 0; round <= rounds; round++) {
    /** @type {number[]} */
    const times = [];
    for (const { server, index } of order.reverse()) {
      // While a server is idle, V8 shrinks its heap and discards compiled code.
      await measureLoad(server, request, { seconds: 1, connections: 50 });
      const load = await measureLoad(server, request, { seconds: 1, connections: 50 });
      if (load.errors > 0) throw new Error(`${load.errors} errors`);
      times[index] = load.cpuUsPerRequest;
    }
    if (round > 0) samples.push(times);
  }
  return samples;
}
