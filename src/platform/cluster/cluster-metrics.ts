import cluster from 'node:cluster';
import {
  Injectable,
  Logger,
  type OnModuleDestroy,
  ServiceUnavailableException,
} from '@nestjs/common';
import { AggregatorRegistry, Registry } from 'prom-client';
import type { ToWorker } from './primary.js';
import { tellPrimary } from './worker.js';

/** The metrics of one process, as prom-client takes them from another. */
type Metrics = Parameters<typeof AggregatorRegistry.aggregate>[0];

/**
 * The metrics of the whole service, whichever process is asked for them: those of all workers are
 * added up, or as the `aggregator` of a metric says.
 */
@Injectable()
export class ClusterMetrics implements OnModuleDestroy {
  private readonly logger = new Logger(ClusterMetrics.name);
  private waiting: ((all: unknown[] | null) => void)[] = [];

  constructor(private readonly registry: Registry) {
    if (cluster.isWorker) process.on('message', this.onMessage);
  }

  /**
   * In Prometheus' text format.
   *
   * @throws ServiceUnavailableException when a worker does not give its own: a sum without it would
   *   look as if counters had been reset
   */
  async text(): Promise<string> {
    if (!cluster.isWorker) return this.registry.metrics();
    const all = await new Promise<unknown[] | null>((resolve) => {
      this.waiting.push(resolve);
      tellPrimary({ want: 'metrics' });
    });
    if (!all) throw new ServiceUnavailableException('A worker did not give its metrics in time');
    return AggregatorRegistry.aggregate(all as Metrics).metrics();
  }

  onModuleDestroy(): void {
    process.off('message', this.onMessage);
  }

  private readonly onMessage = (message: ToWorker): void => {
    if ('give' in message) void this.give();
    if ('allMetrics' in message) {
      for (const resolve of this.waiting.splice(0)) resolve(message.allMetrics);
    }
  };

  private async give(): Promise<void> {
    try {
      tellPrimary({ metrics: await this.registry.getMetricsAsJSON() });
    } catch (error) {
      this.logger.error(error);
      tellPrimary({ metrics: null });
    }
  }
}
