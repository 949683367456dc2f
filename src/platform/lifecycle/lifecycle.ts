import { setTimeout } from 'node:timers/promises';
import { Connections } from './connections.js';

/** The phases of the process, in their order. */
export const PHASES = ['starting', 'ready', 'draining', 'stopped'] as const;

export type Phase = (typeof PHASES)[number];

/**
 * Where the process is in its life: starting, ready from the moment it listens, draining from the
 * moment it is told to stop, and stopped when the last request is over. Never back.
 */
export class Lifecycle {
  readonly connections = new Connections();
  private current: Phase = 'starting';

  get phase(): Phase {
    return this.current;
  }

  /** Goes on to a phase, unless it is past that. */
  enter(phase: Phase): void {
    if (PHASES.indexOf(phase) > PHASES.indexOf(this.current)) this.current = phase;
  }

  /**
   * Ends the service without losing a request. From the first moment on readiness says so, and each
   * answer lets its connection go; everything else goes on as before, so that balancers have the
   * time to notice. Then the door closes and the requests that are open are waited for.
   *
   * @param delayMs how long everything goes on, in milliseconds
   * @param timeoutMs how long the last requests may take after that, in milliseconds
   * @returns how many requests were cut off at the deadline
   */
  async drain(delayMs: number, timeoutMs: number): Promise<number> {
    this.enter('draining');
    this.connections.letGo();
    await setTimeout(delayMs);
    const cut = await this.connections.close(timeoutMs);
    this.enter('stopped');
    return cut;
  }
}
