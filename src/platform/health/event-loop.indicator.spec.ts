import { monitorEventLoopDelay } from 'node:perf_hooks';
import { jest } from '@jest/globals';
import { EventLoopIndicator } from './event-loop.indicator.js';

const BLOCKED_MS = 1000;

describe('EventLoopIndicator', () => {
  let indicator: EventLoopIndicator;

  beforeEach(async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance', 'hrtime', 'nextTick'] });
    indicator = new EventLoopIndicator();
    const observed = monitorEventLoopDelay({ resolution: 20 });
    observed.enable();
    const end = performance.now() + BLOCKED_MS;
    while (performance.now() < end);
    while (observed.max < (BLOCKED_MS / 2) * 1e6) await new Promise(setImmediate);
    observed.disable();
  });

  afterEach(() => {
    indicator.onModuleDestroy();
    jest.useRealTimers();
  });

  it('reports down after the event loop was blocked', () => {
    jest.advanceTimersByTime(5000);
    expect(() => indicator.check()).toThrow(/^The average event loop delay over 5000 ms was /);
  });

  it('does not count what blocked the event loop during start-up', () => {
    indicator.onApplicationBootstrap();
    jest.advanceTimersByTime(5000);
    expect(indicator.check()).toBeUndefined();
  });
});
