// Measures the latency of all servers at constant rates.
import { measureLatency } from './oha.js';
import { median, summarizeLatency } from './statistics.js';
import { measureLoad, REQUESTS, SCENARIOS } from './wrk.js';

/** @typedef {import('./server.js').Server} Server */
/** @typedef {{ name: string, label: string } & import('./statistics.js').Samples} Samples */

/** The rates, as shares of the maximum rate of Fastify. */
const RATE_SHARES = [0.3, 0.6];

/**
 * Measures the latency of running servers, in turn, at rates that depend on what Fastify reached.
 *
 * @param {{ server: Server, samples: Samples }[]} running
 * @param {import('./results.js').Settings} settings
 * @returns {Promise<import('./results.js').RateLatency[]>}
 */
export async function measureLatencies(running, settings) {
  const { latencyRounds, latencySeconds, rampUpSeconds, connections } = settings;
  const fastify = running.find(({ samples }) => samples.name === 'fastify')?.samples;
  if (!fastify) throw new Error('The rates depend on fastify.');
  const all = SCENARIOS.flatMap((scenario) => {
    const maximum = median(fastify[scenario].map((load) => load.requestsPerSecond));
    return RATE_SHARES.flatMap((share) =>
      running.map(({ server, samples: { name, label } }) => ({
        server,
        row: { name, label, scenario, share, rate: Math.round(maximum * share) },
        loads: /** @type {import('./oha.js').RateLoad[]} */ ([]),
      })),
    );
  });
  const order = [...all];
  for (let round = 1; round <= latencyRounds; round++) {
    for (const { server, row, loads } of order) {
      const { label, scenario, rate } = row;
      const request = REQUESTS[scenario];
      await measureLoad(server, request, { connections, seconds: rampUpSeconds });
      const options = { rate, connections, seconds: latencySeconds };
      const load = await measureLatency(server, request, options);
      loads.push(load);
      console.error(
        `Latency ${round}/${latencyRounds}, ${label}: ${scenario} ` +
          `${load.requestsPerSecond.toFixed(0)} of ${rate}/s, p99 ${load.p99.toFixed(0)} µs, oha ${Math.round(load.clientCpuShare * 100)}% of a core`,
      );
    }
    // As in the other rounds, against a drift of the machine's speed.
    order.reverse();
  }
  return all.map(({ row, loads }) => ({ ...row, ...summarizeLatency(loads, row.rate) }));
}
