import { ConnectionTracker } from './connection-tracker.js';
import { LifecycleService } from './lifecycle.service.js';

describe('LifecycleService', () => {
  let connections: ConnectionTracker;
  let lifecycle: LifecycleService;

  beforeEach(() => {
    connections = new ConnectionTracker();
    lifecycle = new LifecycleService(connections);
  });

  it('enters phases in order and never returns to an earlier one', () => {
    expect(lifecycle.phase).toBe('starting');
    lifecycle.enter('draining');
    lifecycle.enter('ready');
    expect(lifecycle.phase).toBe('draining');
    lifecycle.enter('stopped');
    expect(lifecycle.phase).toBe('stopped');
  });

  it('is stopping from the start of the drain', () => {
    lifecycle.enter('ready');
    expect(lifecycle.isStopping).toBe(false);
    lifecycle.enter('draining');
    expect(lifecycle.isStopping).toBe(true);
    lifecycle.enter('stopped');
    expect(lifecycle.isStopping).toBe(true);
  });

  it('drains: closes connections after their responses, then waits for open requests', async () => {
    const calls: string[] = [];
    connections.closeAfterResponse = () => calls.push(`closeAfterResponse: ${lifecycle.phase}`);
    connections.close = (timeoutMs) => {
      calls.push(`close(${timeoutMs}): ${lifecycle.phase}`);
      return Promise.resolve(3);
    };
    expect(await lifecycle.drain(0, 500)).toBe(3);
    expect(calls).toEqual(['closeAfterResponse: draining', 'close(500): draining']);
    expect(lifecycle.phase).toBe('stopped');
  });
});
