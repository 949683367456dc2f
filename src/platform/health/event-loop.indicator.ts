import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ReadinessCheck, type ReadinessIndicator } from './readiness-check.decorator.js';

const WINDOW_MS = 5000;

/**
 * Limit of the time that a request waits for the event loop, on average. A request takes several iterations of
 * the event loop, so responses take most of a second at this limit.
 */
const MAX_DELAY_MS = 250;

/** Reports `down` while the event loop is too slow to serve requests. */
@Injectable()
@ReadinessCheck({ name: 'event_loop', optional: true })
export class EventLoopIndicator
  implements ReadinessIndicator, OnApplicationBootstrap, OnModuleDestroy
{
  private readonly histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  private readonly timer: NodeJS.Timeout;
  private delayMs = 0;

  constructor() {
    this.histogram.enable();
    this.timer = setInterval(() => {
      // Weighted by duration: the longer an iteration, the more requests arrive during it.
      const { mean, stddev } = this.histogram;
      this.delayMs = (stddev ** 2 + mean ** 2) / mean / 1e6;
      this.histogram.reset();
    }, WINDOW_MS).unref();
  }

  check(): undefined {
    if (this.delayMs > MAX_DELAY_MS) {
      throw new Error(
        `The average event loop delay over ${WINDOW_MS} ms was ${Math.round(this.delayMs)} ms, the limit is ${MAX_DELAY_MS} ms`,
      );
    }
  }

  /** Forgets the start-up, during which the embedded database blocks the event loop. */
  onApplicationBootstrap(): void {
    this.histogram.reset();
    this.delayMs = 0;
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.histogram.disable();
  }
}
