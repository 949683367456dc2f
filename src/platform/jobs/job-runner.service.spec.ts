import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { JobMetrics } from './job-metrics.js';
import { JobRunnerService, type RegisteredJob } from './job-runner.service.js';
import { JobSchedule } from './job-schedule.js';
import type { Job } from './job.js';
import type { JobsRepository } from './jobs.repository.js';

const CLAIM = { name: 'reminders', dueAt: new Date('2027-01-01T03:00Z'), owner: 'this process' };

const NEXT_DUE_AT = new Date('2027-01-02T03:00Z');

describe('JobRunnerService', () => {
  let calls: unknown[][];
  /** Whether this process still has the claim. */
  let isClaimed: () => Promise<boolean>;
  let finish: () => Promise<void>;
  let runner: JobRunnerService;

  beforeEach(() => {
    Logger.overrideLogger(false);
    // Promises and their timers are not replaced.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'performance'] });
    calls = [];
    isClaimed = () => Promise.resolve(true);
    finish = () => Promise.resolve();
    const repository: Pick<JobsRepository, 'finish' | 'release' | 'renew'> = {
      renew: (...args) => {
        calls.push(['renew', ...args]);
        return isClaimed();
      },
      finish: (...args) => {
        calls.push(['finish', ...args]);
        return finish();
      },
      release: (...args) => {
        calls.push(['release', ...args]);
        return Promise.resolve();
      },
    };
    runner = new JobRunnerService(repository as JobsRepository, new JobMetrics(new Registry()));
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function createJob(run: Job['run']): RegisteredJob {
    const schedule = new JobSchedule('0 3 * * *', 'UTC');
    return { name: 'reminders', timeoutMs: 60_000, provider: { run }, schedule };
  }

  /** A job that throws when its signal is aborted. */
  function waitForAbort(signal: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('aborted'));
      });
    });
  }

  it('renews the claim every 10 seconds until the run has ended', async () => {
    let end: () => void = () => undefined;
    const job = createJob(() => new Promise((resolve) => (end = resolve)));
    const outcome = runner.run(job, CLAIM);
    expect(runner.running).toEqual(['reminders']);
    await jest.advanceTimersByTimeAsync(25_000);
    end();
    expect(await outcome).toBe('success');
    expect(runner.running).toEqual([]);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(calls).toEqual([
      ['renew', CLAIM],
      ['renew', CLAIM],
      ['finish', CLAIM, NEXT_DUE_AT, true],
    ]);
  });

  it('aborts a run 30 seconds after its claim was last renewed', async () => {
    const outcome = runner.run(createJob(waitForAbort), CLAIM);
    await jest.advanceTimersByTimeAsync(10_000);
    isClaimed = () => Promise.reject(new Error('The database is down'));
    await jest.advanceTimersByTimeAsync(29_999);
    expect(runner.running).toEqual(['reminders']);
    await jest.advanceTimersByTimeAsync(1);
    expect(runner.running).toEqual([]);
    expect(await outcome).toBe('interrupted');
    expect(calls.at(-1)).toEqual(['release', CLAIM]);
  });

  it('aborts a run whose due time another process has claimed', async () => {
    isClaimed = () => Promise.resolve(false);
    const outcome = runner.run(createJob(waitForAbort), CLAIM);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await outcome).toBe('interrupted');
  });

  it('keeps a run open that ignores its time limit', async () => {
    let aborted = false;
    const job = createJob((signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise(() => undefined);
    });
    void runner.run(job, CLAIM);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(aborted).toBe(true);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(runner.running).toEqual(['reminders']);
    expect(calls).toHaveLength(66);
  });

  it('finishes a run that returns although it was aborted', async () => {
    const job = createJob((signal) => waitForAbort(signal).catch(() => undefined));
    const outcome = runner.run(job, CLAIM);
    await runner.abortRuns();
    expect(await outcome).toBe('success');
    expect(calls).toEqual([['finish', CLAIM, NEXT_DUE_AT, true]]);
  });

  it('releases a run that throws because it was aborted', async () => {
    const outcome = runner.run(createJob(waitForAbort), CLAIM);
    await runner.abortRuns();
    expect(await outcome).toBe('interrupted');
    expect(calls).toEqual([['release', CLAIM]]);
  });

  it('saves the end of a run once the database is available', async () => {
    finish = () => {
      finish = () => Promise.resolve();
      return Promise.reject(new Error('The database is down'));
    };
    expect(
      await runner.run(
        createJob(() => Promise.resolve()),
        CLAIM,
      ),
    ).toBe('success');
    expect(calls).toEqual([
      ['finish', CLAIM, NEXT_DUE_AT, true],
      ['finish', CLAIM, NEXT_DUE_AT, true],
    ]);
  });

  it('counts a synchronous error as a failure', async () => {
    const job = createJob(() => {
      throw new Error('No connection to the mail server');
    });
    expect(await runner.run(job, CLAIM)).toBe('failure');
    expect(calls).toEqual([['finish', CLAIM, NEXT_DUE_AT, false]]);
  });
});
