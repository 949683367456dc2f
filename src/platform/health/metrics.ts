import { getHeapStatistics } from 'node:v8';
import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { Lifecycle, PHASES } from '../lifecycle/lifecycle.js';
import type { RequestEnd } from '../lifecycle/request-end.js';
import { LogDestination } from '../logging/log-destination.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings.js';
import { Readiness } from './readiness.service.js';
import { RequestDurations } from './request-durations.js';

/** Methods with a label of their own; a client may think of others. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Gauges of Node's that are named as if they were counters, and are about to go. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/** A registry with the metrics of the process, for those of the platform and of the features. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

/** The metrics of the platform, by the names and in the units that Prometheus asks for. */
@Injectable()
export class Metrics {
  private readonly durations: RequestDurations;

  constructor(
    registry: Registry,
    settings: Settings,
    lifecycle: Lifecycle,
    log: LogDestination,
    readiness: Readiness,
  ) {
    const registers = [registry];
    this.durations = new RequestDurations(registry);
    lifecycle.connections.onEnd((end) => {
      this.observe(end);
    });
    new Gauge({
      name: 'http_requests_in_flight',
      help: 'Requests that are not answered yet, this one too.',
      registers,
      collect() {
        this.set(lifecycle.connections.requests);
      },
    });
    new Gauge({
      name: 'petsage_build_info',
      help: 'What runs: always 1.',
      labelNames: ['version', 'revision', 'node'],
      registers,
    }).set(
      {
        version: packageInfo.version,
        revision: settings.GIT_REVISION,
        node: process.version,
      },
      1,
    );
    new Gauge({
      name: 'petsage_lifecycle_phase',
      help: 'Where the process is in its life: 1 for the phase that it is in.',
      labelNames: ['phase'],
      registers,
      collect() {
        for (const phase of PHASES) this.set({ phase }, Number(phase === lifecycle.phase));
      },
    });
    new Gauge({
      name: 'petsage_readiness_check_up',
      help: 'Readiness checks: 1 for one that is up or degraded, 0 for one that is down.',
      labelNames: ['check', 'optional'],
      registers,
      async collect() {
        const states = await readiness.states();
        for (const { name, optional } of readiness.checks) {
          const labels = { check: name, optional: String(optional) };
          this.set(labels, Number(states[name] !== 'down'));
        }
      },
    });
    new Gauge({
      name: 'petsage_heap_limit_bytes',
      help: 'Limit of the V8 heap, old and young generation together.',
      registers,
    }).set(getHeapStatistics().heap_size_limit);
    new Gauge({
      name: 'petsage_log_backlog_bytes',
      help: 'Bytes of the log that wait to be written.',
      registers,
      collect() {
        this.set(log.getState().backlogBytes);
      },
    });
    new Gauge({
      name: 'petsage_log_oldest_unwritten_seconds',
      help: 'How long the oldest log record that is not written has waited.',
      registers,
      collect() {
        this.set(log.getState().oldestUnwrittenMs / 1000);
      },
    });
    new Counter({
      name: 'petsage_log_dropped_records_total',
      help: 'Log records that were dropped because too much waited to be written.',
      registers,
      collect() {
        this.reset();
        this.inc(log.getState().droppedRecords);
      },
    });
  }

  private observe({ request, response, outcome, route, durationMs }: RequestEnd): void {
    this.durations.observe(
      METHODS.has(request.method) ? request.method : 'other',
      route,
      { completed: response.statusCode, 'cut off': 499, 'broken off': 500 }[outcome],
      durationMs / 1000,
    );
  }
}
