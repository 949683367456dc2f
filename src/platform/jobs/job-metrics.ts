import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { JobState } from './jobs.repository.js';

/** Upper bounds in seconds. */
const DURATION_BUCKETS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];

const OUTCOMES = ['success', 'failure', 'timeout', 'interrupted'] as const;

/** How a run ended. `interrupted`: the process stopped or lost its claim, and the due time is run again. */
export type JobOutcome = (typeof OUTCOMES)[number];

/** Registers the metrics of jobs. Prometheus uses the label `job` itself. */
@Injectable()
export class JobMetrics {
  private readonly runs: Counter<'name' | 'outcome'>;
  private readonly durations: Histogram<'name'>;
  private readonly lastSuccesses: Gauge<'name'>;
  private readonly dueTimes: Gauge<'name'>;
  private readonly intervals: Gauge<'name'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ['name'] as const;
    this.runs = new Counter({
      name: 'petsage_job_runs_total',
      help: 'Runs of scheduled jobs in this process.',
      labelNames: ['name', 'outcome'],
      registers,
    });
    this.durations = new Histogram({
      name: 'petsage_job_duration_seconds',
      help: 'Duration of the runs of scheduled jobs in this process.',
      labelNames,
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.lastSuccesses = new Gauge({
      name: 'petsage_job_last_success_timestamp_seconds',
      help: 'Time of the last success of a scheduled job in any process.',
      labelNames,
      registers,
    });
    this.dueTimes = new Gauge({
      name: 'petsage_job_due_timestamp_seconds',
      help: 'Due time of a scheduled job that no process has finished yet.',
      labelNames,
      registers,
    });
    this.intervals = new Gauge({
      name: 'petsage_job_interval_seconds',
      help: 'Time between the due time of a scheduled job and the next one.',
      labelNames,
      registers,
    });
  }

  register(name: string): void {
    // Prometheus computes no increase from a series that begins with 1.
    for (const outcome of OUTCOMES) this.runs.inc({ name, outcome }, 0);
  }

  observeRun(name: string, outcome: JobOutcome, durationMs: number): void {
    this.runs.inc({ name, outcome });
    this.durations.observe({ name }, durationMs / 1000);
  }

  observeState({ name, due_at, succeeded_at }: JobState, nextDueAt: Date): void {
    this.dueTimes.set({ name }, due_at.getTime() / 1000);
    this.intervals.set({ name }, (nextDueAt.getTime() - due_at.getTime()) / 1000);
    if (succeeded_at) this.lastSuccesses.set({ name }, succeeded_at.getTime() / 1000);
  }
}
