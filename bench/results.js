// What was measured, and the medians and ratios that follow from it.
import { BUSY, SATURATED } from './load.js';
import { BASE, peer, PETSAGE } from './peers.js';

/** @typedef {import('./load.js').Load} Load */
/** @typedef {import('./load.js').Scenario} Scenario */
/** @typedef {import('./peers.js').PeerName} PeerName */

/**
 * What a peer showed: its starts, from the spawn to the first 200, in ms; its memory, in MB, when
 * nothing has happened yet, after each start, and after all loads; and the load of each turn.
 *
 * @typedef {{ startMs: number[], idleMb: number[], loadMb?: number } & Record<Scenario, Load[]>} Measured
 */

/**
 * PetSage's own loads, by what was varied.
 *
 * @typedef {{ [variant: string]: { get: Load, post: Load }[] }} Series
 */

/**
 * Everything that was measured on one version of Node.
 *
 * @typedef {object} Run
 * @property {string} date
 * @property {string} command
 * @property {Record<string, string | number>} machine
 * @property {Record<string, string>} versions
 * @property {Record<string, number>} settings
 * @property {Partial<Record<PeerName, Measured>>} peers
 * @property {{ workers: Series, connections: Series }} [scale]
 */

/**
 * A ratio with its quartiles, or none; what turns it lacks, and why, is in the note.
 *
 * @typedef {{ value?: number, quartiles?: [number, number], note?: string }} Ratio
 */

/**
 * @typedef {object} Cell
 * @property {number} rate
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} cpuPerRequest
 * @property {Ratio} ratio to node:http
 */

/**
 * The medians of a peer.
 *
 * @typedef {{ startMs: number, idleMb: number, loadMb?: number } & Partial<Record<Scenario, Cell>>} Summary
 */

/** @param {number[]} numbers */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1);
  return middle.reduce((total, number) => total + number, 0) / middle.length;
}

/**
 * The first and the third quartile.
 *
 * @param {number[]} numbers
 * @returns {[number, number]}
 */
function quartiles(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = Math.ceil(sorted.length / 2);
  return [median(sorted.slice(0, half)), median(sorted.slice(-half))];
}

/**
 * The medians of every peer.
 *
 * @param {Run} run
 * @returns {[PeerName, Summary][]}
 */
export function summariesOf(run) {
  const names = /** @type {PeerName[]} */ (Object.keys(run.peers));
  return names.map((name) => [name, summaryOf(run, name)]);
}

/**
 * @param {Run} run
 * @param {PeerName} name
 * @returns {Summary}
 */
function summaryOf(run, name) {
  const measured = run.peers[name];
  const startMs = median(measured?.startMs ?? []);
  const idleMb = median(measured?.idleMb ?? []);
  if (measured?.loadMb === undefined) return { startMs, idleMb };
  return {
    startMs,
    idleMb,
    loadMb: measured.loadMb,
    get: cellOf(run, name, 'get'),
    post: cellOf(run, name, 'post'),
  };
}

/**
 * @param {Run} run
 * @param {PeerName} name
 * @param {Scenario} scenario
 * @returns {Cell}
 */
function cellOf(run, name, scenario) {
  const loads = loadsOf(run, name, scenario);
  /** @param {'rate' | 'p50' | 'p99' | 'p999' | 'cpuPerRequest'} key */
  const middle = (key) => median(loads.map((load) => load[key]));
  return {
    rate: middle('rate'),
    p50: middle('p50'),
    p99: middle('p99'),
    p999: middle('p999'),
    cpuPerRequest: middle('cpuPerRequest'),
    ratio: ratioOf(run, name, BASE, scenario),
  };
}

/**
 * @param {Run} run
 * @param {PeerName} name
 * @param {Scenario} scenario
 */
function loadsOf(run, name, scenario) {
  return run.peers[name]?.[scenario] ?? [];
}

/**
 * The ratio of two peers' rates.
 *
 * @param {Run} run
 * @param {PeerName} name
 * @param {PeerName} base
 * @param {Scenario} scenario
 */
function ratioOf(run, name, base, scenario) {
  /** @param {PeerName} one */
  const rates = (one) => ({
    title: `${peer(one).label}, ${scenario.toUpperCase()}`,
    loads: loadsOf(run, one, scenario),
  });
  return compare(rates(name), rates(base));
}

/**
 * The median of the ratios of two series of rates, each ratio taken within a turn. A turn does not
 * count when one of the two was not limited by its server alone, and without most of them there is
 * no ratio.
 *
 * @param {{ title: string, loads: Load[] }} own
 * @param {{ title: string, loads: Load[] }} base
 * @param {typeof limitOf} [faultOf]
 * @returns {Ratio}
 */
export function compare(own, base, faultOf = limitOf) {
  const turns = own.loads.flatMap((load, i) => {
    const other = base.loads[i];
    if (!other) return [];
    return { ratio: load.rate / other.rate, fault: faultOf(load, own) ?? faultOf(other, base) };
  });
  const good = turns.filter(({ fault }) => fault === undefined);
  const fault = turns.find((turn) => turn.fault !== undefined)?.fault;
  const isEnough = good.length * 2 > turns.length;
  const ratios = good.map(({ ratio }) => ratio);
  return {
    ...(isEnough && { value: median(ratios), quartiles: quartiles(ratios) }),
    ...(fault !== undefined && {
      note: `${fault}${isEnough ? `, in ${turns.length - good.length} of ${turns.length} turns, which are left out` : ''}`,
    }),
  };
}

/**
 * The same where the load generator and the servers share the cores, which says little of a single
 * server's limits.
 *
 * @type {typeof compare}
 */
export function compareShared(own, base) {
  return compare(own, base, failureOf);
}

/**
 * Why a rate does not tell what the server can do.
 *
 * @param {Load} load
 * @param {{ title: string }} of
 */
function limitOf(load, { title }) {
  const { serverShare, clientShare } = load;
  const failure = failureOf(load, { title });
  if (failure !== undefined) return failure;
  if (clientShare > SATURATED) return `${title}: wrk used ${percent(clientShare)} of its core`;
  if (serverShare >= BUSY) return undefined;
  return `${title}: the server was not the bottleneck, it used ${percent(serverShare)} of its core, and wrk ${percent(clientShare)} of its own`;
}

/**
 * @param {Load} load
 * @param {{ title: string }} of
 */
function failureOf({ errors, requests }, { title }) {
  const failed = Object.values(errors).reduce((total, count) => total + count, 0);
  return failed > 0 ? `${title}: ${failed} of ${requests} requests failed` : undefined;
}

/** @param {number} share */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/**
 * How PetSage compares to others: rates, and start and idle memory against an empty Nest application.
 *
 * @param {Run} run
 */
export function comparisonsOf(run) {
  /** @param {PeerName} base */
  const rates = (base) => ({
    get: ratioOf(run, PETSAGE, base, 'get'),
    post: ratioOf(run, PETSAGE, base, 'post'),
  });
  const own = summaryOf(run, PETSAGE);
  const empty = summaryOf(run, 'nest-empty');
  return {
    fastapi: rates('fastapi'),
    express: rates('express'),
    fastify: rates('fastify'),
    'nest-express': rates('nest-express'),
    'nest-fastify': rates('nest-fastify'),
    'nest-fastify-headers': rates('nest-fastify-headers'),
    'nest-empty': { start: own.startMs / empty.startMs, idle: own.idleMb / empty.idleMb },
  };
}
