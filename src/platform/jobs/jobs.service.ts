import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { MigratorService } from '../database/migrator.service.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { Settings } from '../settings/settings.js';
import { StartupError } from '../startup-error.js';
import { JobMetadata } from './job-metadata.js';
import { JobMetrics, type JobOutcome } from './job-metrics.js';
import { JobRunnerService, type RegisteredJob } from './job-runner.service.js';
import { JobSchedule } from './job-schedule.js';
import type { Job, ScheduledJobOptions } from './job.js';
import { type Claim, JobsRepository, type JobState } from './jobs.repository.js';
import { JobsSettings } from './jobs.settings.js';

/** How long to wait before jobs are read again, on average: the processes spread over time. */
const POLL_INTERVAL_MS = 1000;

/** The longest time of a timer in Node.js. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs jobs when they are due, each due time in one of all processes. */
@Injectable()
export class JobsService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(JobsService.name);
  private readonly owner = `${hostname()}/${process.pid}/${randomUUID()}`;
  private readonly jobs = new Map<string, RegisteredJob>();
  private readonly stopping = new AbortController();
  private polling: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private isAvailable = true;

  constructor(
    private readonly repository: JobsRepository,
    private readonly runner: JobRunnerService,
    private readonly metrics: JobMetrics,
    private readonly migrator: MigratorService,
    private readonly discovery: DiscoveryService,
    private readonly jobsSettings: JobsSettings,
    private readonly settings: Settings,
    private readonly lifecycle: LifecycleService,
  ) {}

  get names(): string[] {
    return [...this.jobs.keys()].sort();
  }

  /**
   * Finds all providers with `@ScheduledJob()`, and begins to run them.
   *
   * @throws StartupError that names the provider and what was expected, if one is invalid
   */
  onApplicationBootstrap(): void {
    for (const provider of this.discovery.getProviders({ metadataKey: JobMetadata.KEY })) {
      const options = this.discovery.getMetadataByDecorator(JobMetadata, provider);
      const instance = provider.instance as Job | undefined;
      const className = String(provider.name);
      if (typeof instance?.run !== 'function' || !provider.isDependencyTreeStatic()) {
        throw new StartupError(
          `${className}: expected a provider of default scope with a method run(), as Job declares it`,
        );
      }
      const job = createJob(className, instance, options);
      if (this.jobs.has(job.name)) {
        throw new StartupError(
          `${className}: another job has the name ${job.name}. Choose another name.`,
        );
      }
      this.jobs.set(job.name, job);
      this.metrics.register(job.name);
    }
    this.lifecycle.onDrain((timeoutMs) => this.stop(timeoutMs));
    if (this.jobs.size > 0) this.polling = this.pollRepeatedly();
  }

  async onModuleDestroy(): Promise<void> {
    await this.stop(this.settings.SHUTDOWN_TIMEOUT_MS);
  }

  /**
   * Runs the last due time of a job now, also if it was run before.
   *
   * @throws StartupError if another process runs the job, this one is stopping, or the migrations are not applied
   * @throws DatabaseUnavailableException
   */
  async runNow(name: string): Promise<JobOutcome> {
    const job = this.jobs.get(name);
    if (job === undefined) throw new StartupError(`No job has the name ${name}.`);
    this.stopping.signal.throwIfAborted();
    await this.migrator.assertApplied();
    const state = await this.findOrCreate(job);
    const claim = this.createClaim(job, state);
    if (!(await this.claim(state, claim))) {
      this.stopping.signal.throwIfAborted();
      throw new StartupError(
        `The job ${name} is being run by another process. Wait until it has ended.`,
      );
    }
    return this.runner.run(job, claim);
  }

  /**
   * Starts no more runs, aborts the signals of open runs, and waits for them.
   *
   * @param timeoutMs time after which other processes run them again
   */
  stop(timeoutMs: number): Promise<void> {
    return (this.stopped ??= this.stopOnce(timeoutMs));
  }

  private async stopOnce(timeoutMs: number): Promise<void> {
    this.stopping.abort(new StartupError('No job is run, because this process is stopping.'));
    const timer = new AbortController();
    await Promise.race([
      Promise.all([this.runner.abortRuns(), this.polling]),
      wait(timeoutMs, undefined, { signal: timer.signal }),
    ]);
    timer.abort();
    this.runner.stopSaving();
    const jobs = this.runner.running;
    if (jobs.length > 0) this.logger.warn({ jobs }, `Jobs did not end within ${timeoutMs} ms`);
  }

  private async pollRepeatedly(): Promise<void> {
    const { signal } = this.stopping;
    for (;;) {
      const delayMs = POLL_INTERVAL_MS * (0.5 + Math.random());
      await wait(delayMs, undefined, { ref: false, signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        // Jobs may need columns of this build.
        await this.migrator.assertApplied();
        await this.poll();
        if (!this.isAvailable) this.logger.log('Jobs are run again');
        this.isAvailable = true;
      } catch (error) {
        if (this.isAvailable) this.logger.warn({ err: error }, 'Jobs are not run at the moment');
        this.isAvailable = false;
      }
    }
  }

  private async poll(): Promise<void> {
    const states = await this.repository.find(this.names);
    for (const job of this.jobs.values()) {
      const state = states.find(({ name }) => name === job.name) ?? (await this.findOrCreate(job));
      this.metrics.observeState(state, job.schedule.findNext(state.due_at));
      if (this.jobsSettings.JOBS && !this.runner.running.includes(job.name)) {
        await this.runIfDue(job, state);
      }
    }
  }

  private async findOrCreate({ name, schedule }: RegisteredJob): Promise<JobState> {
    const [found] = await this.repository.find([name]);
    if (found !== undefined) return found;
    await this.repository.create(name, schedule.findNext(await this.repository.readTime()));
    const [created] = await this.repository.find([name]);
    if (created === undefined) throw new Error(`The job ${name} was deleted.`);
    return created;
  }

  private async runIfDue(job: RegisteredJob, state: JobState): Promise<void> {
    const { name, schedule } = job;
    const { due_at, last_due_at, owner, expires_at, now } = state;
    if (expires_at !== null && expires_at > now) return;
    // Another version of the service may have had another cron expression.
    const isDue = due_at <= now && schedule.findLast(now) >= due_at;
    if (owner === null && !isDue) {
      const next = schedule.findNext(last_due_at !== null && last_due_at > now ? last_due_at : now);
      if (next.getTime() !== due_at.getTime()) await this.repository.changeDueTime(state, next);
      return;
    }
    const claim = this.createClaim(job, state);
    if (!(await this.claim(state, claim))) return;
    if (owner !== null) {
      this.logger.warn({ job: name, dueAt: due_at, owner }, `Job ${name} is run again`);
    } else if (claim.dueAt > due_at) {
      const skipped = { job: name, from: due_at, before: claim.dueAt };
      this.logger.warn(skipped, `Due times of the job ${name} are skipped`);
    }
    void this.runner.run(job, claim);
  }

  /** Returns whether this process has claimed the due time, and runs it. */
  private async claim(state: JobState, claim: Claim): Promise<boolean> {
    if (!(await this.repository.claim(state, claim))) return false;
    if (!this.stopping.signal.aborted) return true;
    await this.repository.release(claim);
    return false;
  }

  /** Chooses the due time of a process that has died, otherwise the last one: older ones are skipped. */
  private createClaim({ name, schedule }: RegisteredJob, state: JobState): Claim {
    const dueAt = state.owner === null ? schedule.findLast(state.now) : state.due_at;
    return { name, dueAt, owner: this.owner };
  }
}

/** @throws StartupError if an option is invalid */
function createJob(
  className: string,
  provider: Job,
  options: Partial<ScheduledJobOptions> = {},
): RegisteredJob {
  const { name, cron, timeZone = 'UTC', timeoutMs } = options;
  const expect = (expected: string, actual: unknown) =>
    new StartupError(
      `${className}: expected @ScheduledJob() with ${expected}, got ${inspect(actual)}`,
    );
  if (typeof name !== 'string' || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw expect('a name in kebab-case', name);
  }
  if (
    typeof timeoutMs !== 'number' ||
    !Number.isInteger(timeoutMs) ||
    timeoutMs < 1 ||
    timeoutMs > MAX_TIMER_MS
  ) {
    throw expect(`timeoutMs, a whole number from 1 to ${MAX_TIMER_MS}`, timeoutMs);
  }
  try {
    const schedule = new JobSchedule(String(cron), timeZone);
    return { name, timeoutMs, provider, schedule };
  } catch (error) {
    throw new StartupError(
      `${className}: expected @ScheduledJob() with a cron expression such as '0 3 * * *' and a time zone such as 'Europe/Berlin', got ${inspect(cron)} and ${inspect(timeZone)}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
