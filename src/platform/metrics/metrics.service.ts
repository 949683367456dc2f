import { getHeapStatistics } from 'node:v8';
import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { ReadinessService } from '../health/readiness.service.js';
import { RequestTracker } from '../http/request-tracker.js';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { LifecycleService, PHASES } from '../lifecycle/lifecycle.service.js';
import type { CompletedRequest } from '../http/completed-request.js';
import { LogDestination } from '../logging/log-destination.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings/settings.js';

/** Upper bounds in seconds. A response from memory takes about 0.1 ms. */
const DURATION_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Methods with their own label value. Clients may send any other. */
const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Status labels of requests whose response was not sent. 499 is nginx's "client closed request". */
const OUTCOME_STATUSES = { aborted: 499, failed: 500 };

/** Gauges of prom-client with the name of a counter. They are deprecated. */
const DEPRECATED_METRICS = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Creates a registry with the metrics of the process. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of DEPRECATED_METRICS) registry.removeSingleMetric(name);
  return registry;
}

/** Registers the platform's metrics. */
@Injectable()
export class MetricsService {
  constructor(
    registry: Registry,
    settings: Settings,
    lifecycle: LifecycleService,
    connections: ConnectionTracker,
    requests: RequestTracker,
    log: LogDestination,
    readiness: ReadinessService,
  ) {
    const registers = [registry];
    const durations = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Duration of requests, from their headers to the end of the response.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: DURATION_BUCKETS,
      registers,
    });
    requests.onCompleted((completed) => {
      observeDuration(durations, completed);
    });
    new Gauge({
      name: 'http_requests_in_flight',
      help: 'Number of open requests.',
      registers,
      collect() {
        this.set(connections.openRequests);
      },
    });
    new Gauge({
      name: 'petsage_build_info',
      help: 'Version of the service, with the constant value 1.',
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
      help: 'Phase of the process: 1 for the current phase, 0 for the others.',
      labelNames: ['phase'],
      registers,
      collect() {
        for (const phase of PHASES) this.set({ phase }, Number(phase === lifecycle.phase));
      },
    });
    new Gauge({
      name: 'petsage_readiness_check_up',
      help: 'State of each readiness check: 0 if it is down, otherwise 1.',
      labelNames: ['check', 'optional'],
      registers,
      async collect() {
        const states = await readiness.getStates();
        for (const { name, optional } of readiness.checks) {
          const labels = { check: name, optional: String(optional) };
          this.set(labels, Number(states[name] !== 'down'));
        }
      },
    });
    new Gauge({
      name: 'petsage_readiness_check_duration_seconds',
      help: 'Duration of the last run of each readiness check.',
      labelNames: ['check'],
      registers,
      async collect() {
        await readiness.getStates();
        for (const { name, durationMs } of readiness.checks) {
          this.set({ check: name }, durationMs / 1000);
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
      help: 'Size of the log records that are not yet written.',
      registers,
      collect() {
        this.set(log.getState().backlogBytes);
      },
    });
    new Gauge({
      name: 'petsage_log_oldest_unwritten_seconds',
      help: 'Age of the oldest log record that is not yet written.',
      registers,
      collect() {
        this.set(log.getState().oldestUnwrittenMs / 1000);
      },
    });
    new Counter({
      name: 'petsage_log_dropped_records_total',
      help: 'Log records that were dropped because the backlog was full.',
      registers,
      collect() {
        this.reset();
        this.inc(log.getState().droppedRecords);
      },
    });
  }
}

function observeDuration(
  durations: Histogram<'method' | 'route' | 'status'>,
  { request, response, outcome, route, durationMs }: CompletedRequest,
): void {
  const method = KNOWN_METHODS.has(request.method) ? request.method : 'other';
  const status = outcome === 'completed' ? response.statusCode : OUTCOME_STATUSES[outcome];
  durations.observe({ method, route, status }, durationMs / 1000);
}
