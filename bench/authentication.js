// Measures what authentication costs: the CPU time per request of a protected handler with a token of each algorithm,
// and of the same handler without `@Authenticated()`, in turns. Prints a Markdown table with the medians, and the ratios
// to the public handler.
//
// npm run build && node bench/authentication.js [rounds] [paths of the node programs that run the service]
import { join } from 'node:path';
import { startIssuer } from './issuer.js';
import { exitWithError, prepareMachine, run } from './machine.js';
import { startServer } from './server.js';
import { measureLoad } from './wrk.js';

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];

const [rounds = '4', ...nodes] = process.argv.slice(2);
await measure().catch(exitWithError);

async function measure() {
  await prepareMachine();
  const { settings, tokens } = await startIssuer(ALGORITHMS);
  /** @type {import('./wrk.js').Request[]} */
  const requests = [
    { method: 'GET', path: '/pets/public', status: 200 },
    ...tokens.map((token) => ({ method: 'GET', path: '/pets/protected', status: 200, token })),
  ];
  const servers = [];
  for (const node of nodes.length > 0 ? nodes : [process.execPath]) {
    const command = ['env', ...settings, node];
    command.push(join(import.meta.dirname, 'authentication-server.js'));
    const server = await startServer({ command });
    const { stdout: version } = await run(node, ['--version']);
    const samples = requests.map(() => /** @type {number[]} */ ([]));
    servers.push({ server, version: version.trim(), samples });
  }
  const order = [...servers];
  // The first round is the warm-up.
  for (let round = 0; round <= Number(rounds); round++) {
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

/** @param {number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? NaN;
}
