import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ReadinessCheck, type ReadinessIndicator } from './readiness-check.decorator.js';

/** Over how long the turns are looked at, in milliseconds. */
const WINDOW_MS = 5000;

/**
 * What is too slow: the turn of the event loop that a request meets on average, in milliseconds. A
 * request takes several turns, so at this pace every answer takes the better part of a second. A
 * single pause, such as one of the garbage collector, is too slow from 1.1 s on.
 */
const TURN_LIMIT_MS = 250;

/** Whether the event loop turns fast enough to serve requests. */
@Injectable()
@ReadinessCheck({ name: 'event_loop' })
export class EventLoopIndicator implements ReadinessIndicator, OnModuleDestroy {
  private readonly delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  private readonly window: NodeJS.Timeout;
  private turnMs = 0;

  constructor() {
    this.delay.enable();
    this.window = setInterval(() => {
      // A long turn meets more requests than a short one: each turn counts by its length.
      const { mean, stddev } = this.delay;
      this.turnMs = (stddev ** 2 + mean ** 2) / mean / 1e6;
      this.delay.reset();
    }, WINDOW_MS).unref();
  }

  check(): undefined {
    if (this.turnMs > TURN_LIMIT_MS) {
      throw new Error(
        `A request meets a turn of the event loop of ${Math.round(this.turnMs)} ms on average, over ${WINDOW_MS} ms; the limit is ${TURN_LIMIT_MS} ms`,
      );
    }
  }

  onModuleDestroy(): void {
    clearInterval(this.window);
    this.delay.disable();
  }
}
