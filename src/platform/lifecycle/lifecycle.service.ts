import { setTimeout } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ConnectionTracker } from './connection-tracker.js';

/** Phases of the process, in order. */
export const PHASES = ['starting', 'ready', 'draining', 'stopped'] as const;

export type Phase = (typeof PHASES)[number];

/** Tracks the phase of the process and drains it. */
@Injectable()
export class LifecycleService {
  private currentPhase: Phase = 'starting';
  private readonly drainTasks: ((timeoutMs: number) => Promise<void>)[] = [];

  constructor(private readonly connections: ConnectionTracker) {}

  get phase(): Phase {
    return this.currentPhase;
  }

  /** Whether the process has received a signal to stop. */
  get isStopping(): boolean {
    return this.phase === 'draining' || this.phase === 'stopped';
  }

  /** Enters a phase. Does nothing if the process is in that phase or a later one. */
  enter(phase: Phase): void {
    if (PHASES.indexOf(phase) > PHASES.indexOf(this.currentPhase)) this.currentPhase = phase;
  }

  /**
   * Calls a function when the process begins to drain, which waits for its promise. It must not reject.
   *
   * @param task receives the time after which the process does not wait for work, in milliseconds
   */
  onDrain(task: (timeoutMs: number) => Promise<void>): void {
    this.drainTasks.push(task);
  }

  /**
   * Drains the server without losing a request. Readiness fails at once and each response closes its
   * connection, while requests are still accepted for `delayMs` so that load balancers can react.
   * Then the listener is closed, and open requests are waited for.
   *
   * @param timeoutMs time after the delay after which open requests are aborted
   * @returns the number of aborted requests
   */
  async drain(delayMs: number, timeoutMs: number): Promise<number> {
    this.enter('draining');
    const tasks = this.drainTasks.map((task) => task(delayMs + timeoutMs));
    this.connections.closeAfterResponse();
    await setTimeout(delayMs);
    const aborted = await this.connections.close(timeoutMs);
    await Promise.all(tasks);
    this.enter('stopped');
    return aborted;
  }
}
