import { setTimeout as wait } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { JobMetrics, type JobOutcome } from './job-metrics.js';
import type { JobSchedule } from './job-schedule.js';
import type { Job } from './job.js';
import { type Claim, JobsRepository, LEASE_MS } from './jobs.repository.js';

/** How often a claim is renewed: twice before it expires. */
const RENEWAL_INTERVAL_MS = 10_000;

/** How long to wait before the end of a run is saved again, if the database is not available. */
const RETRY_INTERVAL_MS = 500;

export interface RegisteredJob {
  name: string;
  /** Time limit of a run. */
  timeoutMs: number;
  provider: Job;
  schedule: JobSchedule;
}

interface Run {
  controller: AbortController;
  /** Why the signal is aborted. */
  abortedBy?: 'timeout' | 'interrupted';
  /** Aborts the signal when the claim has expired. */
  expiry: NodeJS.Timeout;
  /** Resolves when the end of the run is saved. */
  ended: Promise<unknown>;
}

/** Runs claimed jobs, and renews their claims until they end. */
@Injectable()
export class JobRunnerService {
  private readonly logger = new Logger(JobRunnerService.name);
  /** The open runs by the name of their job. A job that ignores that its signal is aborted keeps its claim. */
  private readonly runs = new Map<string, Run>();
  private isSaving = true;

  constructor(
    private readonly repository: JobsRepository,
    private readonly metrics: JobMetrics,
  ) {}

  /** Names of the jobs that this process runs. */
  get running(): string[] {
    return [...this.runs.keys()];
  }

  /** Runs a claimed job. Resolves when the end of the run is saved. */
  async run(job: RegisteredJob, claim: Claim): Promise<JobOutcome> {
    const run: Run = {
      controller: new AbortController(),
      expiry: setTimeout(() => {
        this.expire(claim, run);
      }, LEASE_MS),
      ended: Promise.resolve(),
    };
    this.runs.set(job.name, run);
    const outcome = this.execute(job, claim, run).finally(() => this.runs.delete(job.name));
    run.ended = outcome;
    return outcome;
  }

  /** Aborts the signals of all runs, and waits for them. */
  async abortRuns(): Promise<void> {
    for (const run of this.runs.values()) abort(run, 'interrupted');
    await Promise.all([...this.runs.values()].map(({ ended }) => ended));
  }

  /** Does not save the ends of runs any more. Other processes run them again. */
  stopSaving(): void {
    this.isSaving = false;
  }

  private async execute(job: RegisteredJob, claim: Claim, run: Run): Promise<JobOutcome> {
    const { name, timeoutMs } = job;
    const startedAt = performance.now();
    const timer = setTimeout(() => {
      this.logger.warn({ job: name }, `Job ${name} takes more than ${timeoutMs} ms`);
      abort(run, 'timeout');
    }, timeoutMs);
    const renewal = setInterval(() => void this.renew(claim, run), RENEWAL_INTERVAL_MS);
    const outcome = await this.call(job, claim, run);
    clearTimeout(timer);
    clearInterval(renewal);
    clearTimeout(run.expiry);
    const durationMs = performance.now() - startedAt;
    this.metrics.observeRun(name, outcome, durationMs);
    this.logger.log(
      { job: name, dueAt: claim.dueAt, outcome, durationMs: Math.round(durationMs) },
      `Job ${name}: ${outcome}`,
    );
    await this.save(job, claim, outcome);
    return outcome;
  }

  private async call(job: RegisteredJob, { name, dueAt }: Claim, run: Run): Promise<JobOutcome> {
    try {
      // A copy, because a date can be changed.
      await job.provider.run(run.controller.signal, new Date(dueAt));
      return 'success';
    } catch (error) {
      const outcome = run.abortedBy ?? 'failure';
      const level = outcome === 'interrupted' ? 'warn' : 'error';
      this.logger[level]({ err: error, job: name, dueAt }, `Job ${name} has thrown an error`);
      return outcome;
    }
  }

  private async renew(claim: Claim, run: Run): Promise<void> {
    const { name, owner } = claim;
    // If the database is not available to this process, the claim expires.
    const isRenewed = await this.repository.renew(claim).catch(() => undefined);
    if (isRenewed === undefined || this.runs.get(name) !== run) return;
    if (isRenewed) {
      run.expiry.refresh();
      return;
    }
    this.logger.warn({ job: name, owner }, `Another process has claimed the job ${name}`);
    abort(run, 'interrupted');
  }

  /** Another process may run the due time, unless the database is not available to all of them. */
  private expire({ name, owner }: Claim, run: Run): void {
    this.logger.warn({ job: name, owner }, `The claim of the job ${name} has expired`);
    abort(run, 'interrupted');
  }

  private async save(job: RegisteredJob, claim: Claim, outcome: JobOutcome): Promise<void> {
    const { name, schedule } = job;
    for (let retries = 0; this.isSaving; retries += 1) {
      try {
        if (outcome === 'interrupted') await this.repository.release(claim);
        else {
          const nextDueAt = schedule.findNext(claim.dueAt);
          await this.repository.finish(claim, nextDueAt, outcome === 'success');
        }
        return;
      } catch (error) {
        if (retries === 0) {
          this.logger.warn(
            { err: error, job: name },
            `The end of the job ${name} is not saved yet`,
          );
        }
        await wait(RETRY_INTERVAL_MS);
      }
    }
  }
}

function abort(run: Run, cause: 'timeout' | 'interrupted'): void {
  run.abortedBy ??= cause;
  run.controller.abort();
}
