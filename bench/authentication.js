// Measures what authentication costs.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startIssuer } from './issuer.js';
import { exitWithError, parseCount, prepareMachine, run } from './machine.js';
import { startServer } from './server.js';
import { median } from './statistics.js';
import { measureLoad } from './wrk.js';

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];

const HELP = `Measures the CPU time per request of a protected handler with a token of each algorithm, and of the same
handler without @Authenticated(), in turns. Prints a Markdown table with the medians, and the ratios to the handler
without it.

  npm run build && node bench/authentication.js [--rounds 4] [NODE...]

NODE is the path of a Node.js that runs the service; without it, this one does.`;

await main().catch(exitWithError);

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string', default: '4' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const rounds = parseCount('--rounds', values.rounds);
  await measure(rounds, positionals.length > 0 ? positionals : [process.execPath]);
}

/**
 * @param {number} rounds
 * @param {string[]} nodes
 */
async function measure(rounds, nodes) {
  await prepareMachine();
  const { settings, tokens } = await startIssuer(ALGORITHMS);
  /** @type {import('./wrk.js').Request[]} */
  const requests = [
    { method: 'GET', path: '/pets/public', status: 200 },
    ...tokens.map((token) => ({ method: 'GET', path: '/pets/protected', status: 200, token })),
  ];
  const servers = [];
  for (const node of nodes) {
    const command = ['env', ...settings, node];
    command.push(join(import.meta.dirname, 'authentication-server.js'));
    const server = await startServer({ command });
    const { stdout: version } = await run(node, ['--version']);
    const samples = requests.map(() => /** @type {number[]} */ ([]));
    servers.push({ server, version: version.trim(), samples });
  }
  const order = [...servers];
  // The first round is the warm-up.
  for (let round = 0; round <= rounds; round++) {
    for (const { server, samples } of order.reverse()) {
      for (const [index, request] of requests.entries()) {
        // While a server is idle, V8 shrinks its heap and discards compiled code.
        await measureLoad(server, request, { seconds: 1, connections: 50 });
        const load = await measureLoad(server, request, { seconds: 2, connections: 50 });
        if (load.errors > 0) throw new Error(`${load.errors} errors`);
        if (round > 0) samples[index]?.push(load.cpuUsPerRequest);
      }
    }
  }
  console.log(`| CPU time per request | public | ${ALGORITHMS.join(' | ')} |`);
  console.log(`| --- | ${requests.map(() => '---').join(' | ')} |`);
  for (const { version, samples } of servers) {
    const cells = samples.map((times) => {
      // The ratio of each round, because the speed of the machine changes between rounds.
      const ratios = times.map((time, round) => time / (samples[0]?.[round] ?? NaN));
      return `${median(times).toFixed(0)} µs (${median(ratios).toFixed(2)})`;
    });
    console.log(`| Node.js ${version} | ${cells.join(' | ')} |`);
  }
  process.exit();
}
