import { setImmediate } from 'node:timers/promises';
import { jest } from '@jest/globals';
import { EventLoopIndicator } from './event-loop.indicator.js';

const WINDOW_MS = 5000;

const BLOCKED_MS = 1000;

/** Blocks the event loop until the indicator has measured it. */
async function block(indicator: EventLoopIndicator): Promise<void> {
  const { histogram } = indicator as unknown as { histogram: { max: number } };
  while (histogram.max < (BLOCKED_MS / 2) * 1e6) {
    const end = performance.now() + BLOCKED_MS;
    while (performance.now() < end);
    await setImmediate();
  }
}

describe('EventLoopIndicator', () => {
  let indicator: EventLoopIndicator;

  beforeEach(async () => {
    jest.useFakeTimers({ doNotFake: ['performance', 'hrtime', 'nextTick', 'setImmediate'] });
    indicator = new EventLoopIndicator();
    await block(indicator);
  });

  afterEach(() => {
    indicator.onModuleDestroy();
    jest.useRealTimers();
  });

  it('reports down after the event loop was blocked', () => {
    jest.advanceTimersByTime(WINDOW_MS);
    expect(() => {
      indicator.check();
    }).toThrow(/^The average event loop delay over 5000 ms was /);
  });

  it('does not count what blocked the event loop during start-up', () => {
    indicator.onApplicationBootstrap();
    jest.advanceTimersByTime(WINDOW_MS);
    expect(() => {
      indicator.check();
    }).not.toThrow();
  });
});
