import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { jest } from '@jest/globals';
import { Injectable, Module, type OnModuleInit, type Type } from '@nestjs/common';
import { sql } from 'kysely';
import request from 'supertest';
import { DatabaseModule } from '../src/platform/database/database.module.js';
import { DatabaseService } from '../src/platform/database/database.service.js';
import type { Job } from '../src/platform/jobs/job.js';
import { JobsModule } from '../src/platform/jobs/jobs.module.js';
import { JobsRepository } from '../src/platform/jobs/jobs.repository.js';
import type { JobsTables } from '../src/platform/jobs/scheduled-jobs.table.js';
import { JobsService } from '../src/platform/jobs/jobs.service.js';
import { ScheduledJob } from '../src/platform/jobs/scheduled-job.decorator.js';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { waitFor } from './fixtures/wait-for.js';

/** What the job of a test does. */
let run: Job['run'];
/** Its runs so far. */
let runs: { dueAt: Date; signal: AbortSignal }[];

class RecordingJob implements Job {
  async run(signal: AbortSignal, dueAt: Date): Promise<void> {
    runs.push({ dueAt: new Date(dueAt), signal });
    await run(signal, dueAt);
  }
}

@Injectable()
@ScheduledJob({ name: 'reminders', cron: '*/10 * * * *', timeoutMs: 60_000 })
class RemindersJob extends RecordingJob {}

@Module({ imports: [JobsModule], providers: [RemindersJob] })
class RemindersModule {}

function createModule(provider: Type): Type {
  @Module({ imports: [JobsModule], providers: [provider] })
  class JobModule {}
  return JobModule;
}

let testApp: TestApp | undefined;
/** The settings of the embedded database, which keeps its data when the application is started again. */
let embedded: Record<string, string>;

beforeAll(async () => {
  embedded = { DATABASE_URL: '', DATA_DIR: await mkdtemp(join(tmpdir(), 'petsage-jobs-')) };
});

afterAll(async () => {
  await testApp?.app.close();
  await rm(String(embedded.DATA_DIR), { recursive: true });
});

/** Lets the test drive the clock of the database, before jobs are run. */
@Module({ imports: [DatabaseModule] })
class ClockModule implements OnModuleInit {
  constructor(private readonly database: DatabaseService) {}

  async onModuleInit(): Promise<void> {
    const statements = [
      'create table if not exists test_clock (now timestamptz not null)',
      `create or replace function public.now() returns timestamptz language sql
        as 'select now from test_clock'`,
      // The embedded database has a single session, in which this function replaces PostgreSQL's.
      'set search_path = public, pg_catalog',
    ];
    for (const statement of statements) await sql.raw(statement).execute(this.database.db);
  }
}

beforeEach(() => {
  runs = [];
  run = () => Promise.resolve();
});

/** Starts the application, after the previous one has stopped. */
async function start(
  feature: Type = RemindersModule,
  settings: Record<string, string> = {},
): Promise<TestApp> {
  await testApp?.app.close();
  testApp = undefined;
  return (testApp = await createTestApp({
    features: [ClockModule, feature],
    settings: { ...embedded, ...settings },
  }));
}

/** Starts the application without stored jobs, and waits until the job has its first due time, 00:10. */
async function startNew(feature = RemindersModule, settings = {}): Promise<TestApp> {
  const started = await start(feature, settings);
  const db = getDb();
  await sql`delete from test_clock`.execute(db);
  await sql`insert into test_clock values ('2027-01-01T00:00:01Z')`.execute(db);
  await db.deleteFrom('scheduled_jobs').execute();
  await waitForJob({ due_at: at('00:10') });
  started.log.length = 0;
  return started;
}

function at(time: string): Date {
  return new Date(`2027-01-01T${time}:00Z`);
}

function getApp() {
  if (testApp === undefined) throw new Error('The application is not started');
  return testApp.app;
}

function getDb() {
  return getApp().get<DatabaseService<JobsTables>>(DatabaseService, { strict: false }).db;
}

async function setTime(time: string): Promise<void> {
  await sql`update test_clock set now = ${at(time)}`.execute(getDb());
}

async function waitForJob(expected: object): Promise<void> {
  await waitFor(async () => {
    const job = await getDb().selectFrom('scheduled_jobs').selectAll().executeTakeFirst();
    return isMatch(job, expected);
  });
}

function isMatch(job: object | undefined, expected: object): boolean {
  return Object.entries(expected).every(([key, value]) => {
    return isDeepStrictEqual(job?.[key as keyof typeof job], value);
  });
}

function findLog(message: string) {
  return testApp?.log.filter(({ msg }) => String(msg).startsWith(message)) ?? [];
}

/** Waits until this process has read the jobs, and has run the due jobs. */
async function waitForPoll(): Promise<void> {
  const repository = getApp().get(JobsRepository, { strict: false });
  const find = jest.spyOn(repository, 'find');
  // The second poll begins after the first one has ended.
  await waitFor(() => find.mock.calls.length >= 2);
  find.mockRestore();
}

/** A job that ends when its signal is aborted. */
async function waitForAbort(signal: AbortSignal): Promise<void> {
  await wait(600_000, undefined, { signal });
}

async function readMetrics(): Promise<string[]> {
  const { text } = await request(getApp().getHttpServer()).get('/metrics').expect(200);
  return text.split('\n').filter((line) => line.startsWith('petsage_job_'));
}

describe('@ScheduledJob()', () => {
  it('runs each due time once', async () => {
    await startNew();
    for (const [time, next] of [
      ['00:10', '00:20'],
      ['00:21', '00:30'],
      ['00:39', '00:40'],
    ] as const) {
      await setTime(time);
      await waitForJob({ due_at: at(next), owner: null, expires_at: null, succeeded_at: at(time) });
    }
    expect(runs.map(({ dueAt }) => dueAt)).toEqual([at('00:10'), at('00:20'), at('00:30')]);
  });

  it('skips due times that are older than the last one, and logs them', async () => {
    await startNew();
    await setTime('01:05');
    await waitForJob({ due_at: at('01:10'), last_due_at: at('01:00') });
    expect(runs.map(({ dueAt }) => dueAt)).toEqual([at('01:00')]);
    expect(findLog('Due times')).toMatchObject([
      {
        level: 'warn',
        msg: 'Due times of the job reminders are skipped',
        job: 'reminders',
        from: at('00:10').toISOString(),
        before: at('01:00').toISOString(),
      },
    ]);
  });

  it('logs and counts a run that throws, and runs the next due time', async () => {
    run = () => Promise.reject(new Error('No connection to the mail server'));
    await startNew();
    await setTime('00:10');
    await waitForJob({
      due_at: at('00:20'),
      last_due_at: at('00:10'),
      owner: null,
      succeeded_at: null,
    });
    expect(findLog('Job reminders has thrown')).toMatchObject([
      { level: 'error', job: 'reminders', err: { message: 'No connection to the mail server' } },
    ]);
    run = () => Promise.resolve();
    await setTime('00:20');
    await waitForJob({ due_at: at('00:30'), succeeded_at: at('00:20') });
    const metrics = await readMetrics();
    expect(metrics).toEqual(
      expect.arrayContaining([
        'petsage_job_runs_total{name="reminders",outcome="success"} 1',
        'petsage_job_runs_total{name="reminders",outcome="failure"} 1',
        'petsage_job_runs_total{name="reminders",outcome="timeout"} 0',
        'petsage_job_runs_total{name="reminders",outcome="interrupted"} 0',
        'petsage_job_duration_seconds_count{name="reminders"} 2',
        'petsage_job_interval_seconds{name="reminders"} 600',
      ]),
    );
    await waitFor(async () => {
      const lines = await readMetrics();
      return (
        lines.includes(
          `petsage_job_last_success_timestamp_seconds{name="reminders"} ${at('00:20').getTime() / 1000}`,
        ) &&
        lines.includes(
          `petsage_job_due_timestamp_seconds{name="reminders"} ${at('00:30').getTime() / 1000}`,
        )
      );
    });
  });

  it('keeps a due time that the job has changed', async () => {
    run = (_signal, dueAt) => Promise.resolve(void dueAt.setFullYear(2000));
    await startNew();
    await setTime('00:10');
    await waitForJob({ due_at: at('00:20'), last_due_at: at('00:10') });
  });

  it('does not run a job again while a run ignores its time limit', async () => {
    @Injectable()
    @ScheduledJob({ name: 'slow', cron: '*/10 * * * *', timeoutMs: 20 })
    class SlowJob extends RecordingJob {}

    let end: () => void = () => undefined;
    run = () => new Promise((resolve) => (end = resolve));
    await startNew(createModule(SlowJob));
    await setTime('00:10');
    await waitFor(() => runs[0]?.signal.aborted ?? false);
    await setTime('00:35');
    await waitForPoll();
    expect(runs).toHaveLength(1);
    run = () => Promise.resolve();
    end();
    await waitForJob({ due_at: at('00:40'), last_due_at: at('00:30') });
    expect(runs.map(({ dueAt }) => dueAt)).toEqual([at('00:10'), at('00:30')]);
  });

  it('counts a run that throws after its time limit as a timeout', async () => {
    @Injectable()
    @ScheduledJob({ name: 'slow', cron: '*/10 * * * *', timeoutMs: 20 })
    class SlowJob extends RecordingJob {}

    run = waitForAbort;
    await startNew(createModule(SlowJob));
    await setTime('00:10');
    await waitForJob({ due_at: at('00:20'), last_due_at: at('00:10'), succeeded_at: null });
    expect(await readMetrics()).toContain(
      'petsage_job_runs_total{name="slow",outcome="timeout"} 1',
    );
  });

  it('runs a due time again if the process has stopped before the run has ended', async () => {
    run = waitForAbort;
    await startNew();
    await setTime('00:10');
    await waitFor(() => runs.length === 1);
    run = () => Promise.resolve();
    // Older due times are skipped, but not this one.
    await setTime('00:45');
    await start();
    await waitForJob({ due_at: at('00:50'), last_due_at: at('00:40'), owner: null });
    expect(runs.map(({ dueAt }) => dueAt)).toEqual([at('00:10'), at('00:10'), at('00:40')]);
  });

  it('waits until the claim of another process has expired', async () => {
    await startNew();
    await getDb()
      .updateTable('scheduled_jobs')
      .set({ owner: 'other', expires_at: at('00:12') })
      .execute();
    await setTime('00:11');
    await waitForPoll();
    expect(runs).toEqual([]);
    await setTime('00:12');
    await waitForJob({ due_at: at('00:20'), owner: null });
    expect(findLog('Job reminders is run again')).toMatchObject([{ owner: 'other' }]);
  });

  it.each(['00:05', '00:15'])('follows a changed cron expression at %s', async (time) => {
    @Injectable()
    @ScheduledJob({
      name: 'reminders',
      cron: '30 3 * * *',
      timeZone: 'Europe/Berlin',
      timeoutMs: 1,
    })
    class ChangedJob extends RecordingJob {}

    await startNew(RemindersModule, { JOBS: 'false' });
    await setTime(time);
    await start(createModule(ChangedJob));
    await waitForJob({ due_at: at('02:30') });
    expect(runs).toEqual([]);
  });

  it('runs no job with JOBS=false, and reports that it is due', async () => {
    await startNew(RemindersModule, { JOBS: 'false' });
    await setTime('00:55');
    await waitForPoll();
    expect(runs).toEqual([]);
    const dueAt = at('00:10').getTime() / 1000;
    expect(await readMetrics()).toContain(
      `petsage_job_due_timestamp_seconds{name="reminders"} ${dueAt}`,
    );
  });
});

describe('JobsService.runNow()', () => {
  it('says that the process is stopping', async () => {
    const { app } = await startNew();
    const jobs = app.get(JobsService, { strict: false });
    await jobs.stop(0);
    await expect(jobs.runNow('reminders')).rejects.toThrow(
      'No job is run, because this process is stopping.',
    );
    await waitForJob({ due_at: at('00:10'), owner: null });
  });
});

describe('start-up', () => {
  async function startWith(feature: Type): Promise<void> {
    await testApp?.app.close();
    testApp = undefined;
    await createTestApp({ features: [feature], settings: embedded });
  }

  it('keeps a property of the job with the name jobsService', async () => {
    @Injectable()
    @ScheduledJob({ name: 'reminders', cron: '0 3 * * *', timeoutMs: 1000 })
    class PropertyJob extends RecordingJob {
      readonly jobsService = 'a property of the job';
    }

    const { app } = await start(createModule(PropertyJob));
    expect(app.get(PropertyJob, { strict: false }).jobsService).toBe('a property of the job');
  });

  it('fails if the module does not import JobsModule', async () => {
    @Module({ providers: [RemindersJob] })
    class IncompleteModule {}

    await expect(startWith(IncompleteModule)).rejects.toThrow(
      /resolve dependencies of the RemindersJob[^]*JobsService/,
    );
  });

  it.each([
    [{ name: 'Reminders' }, "a name in kebab-case, got 'Reminders'"],
    [{ timeoutMs: 0 }, 'timeoutMs, a whole number from 1 to 2147483647, got 0'],
    [{ cron: '0 3 * *' }, "got '0 3 * *' and 'UTC': CronPattern: invalid configuration"],
    [{ cron: '0 0 30 2 *' }, 'no time matches the cron expression'],
    [{ timeZone: 'Europe/Berln' }, "and 'Europe/Berln': "],
  ])('fails with the options %j', async (options, message) => {
    @Injectable()
    @ScheduledJob({ name: 'reminders', cron: '0 3 * * *', timeoutMs: 1000, ...options })
    class InvalidJob extends RecordingJob {}

    await expect(startWith(createModule(InvalidJob))).rejects.toThrow(message);
  });

  it('fails if two jobs have the same name', async () => {
    @Injectable()
    @ScheduledJob({ name: 'reminders', cron: '0 3 * * *', timeoutMs: 1000 })
    class OtherJob extends RecordingJob {}

    @Module({ imports: [RemindersModule, JobsModule], providers: [OtherJob] })
    class OtherModule {}

    await expect(startWith(OtherModule)).rejects.toThrow(
      'another job has the name reminders. Choose another name.',
    );
  });

  it('fails if a job has no method run()', async () => {
    @Injectable()
    @ScheduledJob({ name: 'reminders', cron: '0 3 * * *', timeoutMs: 1000 })
    class IncompleteJob {}

    await expect(startWith(createModule(IncompleteJob))).rejects.toThrow(
      'IncompleteJob: expected a provider of default scope with a method run(), as Job declares it',
    );
  });
});
