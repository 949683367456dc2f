import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ReadinessCheck, type ReadinessIndicator } from './readiness-check.decorator.js';

/** Over how long the delay is averaged, in milliseconds. */
const WINDOW_MS = 5000;

/**
 * What is too slow, in milliseconds a turn of the event loop, on average. A request takes several
 * turns, so at this pace every answer takes the better part of a second. A single long pause, such
 * as one of the garbage collector, does not come near it.
 */
const DELAY_LIMIT_MS = 250;

/** Whether the event loop turns fast enough to serve requests. */
@Injectable()
@ReadinessCheck({ name: 'event_loop' })
export class EventLoopIndicator implements ReadinessIndicator, OnModuleDestroy {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  private readonly window: NodeJS.Timeout;
  private meanMs = 0;

  constructor() {
    this.delay.enable();
    this.window = setInterval(() => {
      this.meanMs = this.delay.mean / 1e6;
      this.delay.reset();
    }, WINDOW_MS).unref();
  }

  check(): undefined {
    if (this.meanMs > DELAY_LIMIT_MS) {
      throw new Error(
        `A turn of the event loop takes ${Math.round(this.meanMs)} ms on average, over ${WINDOW_MS} ms; the limit is ${DELAY_LIMIT_MS} ms`,
      );
    }
  }

  onModuleDestroy(): void {
    clearInterval(this.window);
    this.delay.disable();
  }
}
