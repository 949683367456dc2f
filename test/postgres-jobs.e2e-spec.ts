import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describePostgres } from './fixtures/describe-postgres.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { type Service, startService } from './fixtures/process.js';
import { createProject } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

const FEATURE = 'test/fixtures/features/reminders';

const INTERVAL_MS = 600_000;

/** `npm run test:database` sets 200. */
const DUE_TIMES = Number(process.env.DUE_TIMES ?? 20);

const KILLS = DUE_TIMES / 10;

/** At least each kind of restart once. */
const RESTARTS = Math.max(4, DUE_TIMES / 20);

/** The time between a claim and its expiry. */
const LEASE_MS = 30_000;

/** The tables of the job, and a clock that replaces that of the database. */
const SCHEMA = `
  create table reminder_events (
    id bigserial, event text not null, due_at timestamptz not null, pid integer not null
  );
  create table reminder_gate (state text not null);
  insert into reminder_gate values ('open');
  create table test_clock (now timestamptz not null);
  insert into test_clock values ('2027-01-01T00:00:01Z');
  create function public.now() returns timestamptz language sql
    as 'select now from public.test_clock';
`;

interface ReminderEvent {
  event: 'started' | 'finished';
  due_at: Date;
  pid: number;
}

describePostgres('scheduled jobs of three processes', () => {
  const server = new PostgresServer();
  let project: string;
  let url: string;
  let services: Service[] = [];
  let time: number;

  beforeAll(async () => {
    const names = await readdir(FEATURE);
    const files = names.map(async (name) => {
      const text = await readFile(join(FEATURE, name), 'utf8');
      return [`src/features/reminders/${name}`, text.replaceAll('../../../../src/', '../../')];
    });
    project = await createProject(
      Object.fromEntries(await Promise.all(files)) as Record<string, string>,
    );
    await server.start();
  });

  afterAll(() => server.remove());

  beforeEach(async () => {
    url = await server.createDatabase();
    await server.query(SCHEMA, url);
    const name = new URL(url).pathname.slice(1);
    await server.query(`alter database ${name} set search_path = public, pg_catalog`);
    time = Date.parse('2027-01-01T00:00:01Z');
    services = await Promise.all([start(), start(), start()]);
    await waitFor(async () => (await readJob()) !== undefined);
  });

  afterEach(() => {
    for (const service of services) service.process.kill('SIGKILL');
  });

  function start(env = {}): Promise<Service> {
    return startService({
      cwd: project,
      env: { NODE_ENV: 'production', DATABASE_URL: url, DATABASE_MIGRATE: 'true', ...env },
    });
  }

  async function advance(byMs: number): Promise<void> {
    time += byMs;
    await server.query(`update test_clock set now = '${new Date(time).toISOString()}'`, url);
  }

  async function setGate(state: 'open' | 'closed' | 'uninterruptible'): Promise<void> {
    await server.query(`update reminder_gate set state = '${state}'`, url);
  }

  async function readEvents(event: ReminderEvent['event']): Promise<ReminderEvent[]> {
    const sql = `select * from reminder_events where event = '${event}' order by id`;
    return (await server.query(sql, url)) as ReminderEvent[];
  }

  async function readJob() {
    const [job] = (await server.query('select * from scheduled_jobs', url)) as {
      due_at: Date;
      owner: string | null;
    }[];
    return job;
  }

  /** Waits until the job is finished, and no process has its claim. */
  async function waitForDueTime(dueAt: Date): Promise<void> {
    await waitFor(async () => {
      const job = await readJob();
      return job?.owner === null && job.due_at.getTime() === dueAt.getTime();
    });
  }

  async function waitForRun(count: number): Promise<ReminderEvent> {
    await waitFor(async () => (await readEvents('started')).length >= count);
    const [event] = (await readEvents('started')).slice(count - 1);
    if (event === undefined) throw new Error('The job has no run');
    return event;
  }

  function getDueTime(index: number): Date {
    return new Date(Date.parse('2027-01-01T00:00:00Z') + index * INTERVAL_MS);
  }

  function findService(pid: number): Service {
    const service = services.find((candidate) => candidate.process.pid === pid);
    if (service === undefined) throw new Error(`No process has the id ${pid}`);
    return service;
  }

  it('waits until the migrations are applied', async () => {
    await server.query('drop table scheduled_jobs, schema_migrations', url);
    const waiting = await start({ DATABASE_MIGRATE: 'false' });
    services.push(waiting);
    await waitFor(() => waiting.stdout.includes('Jobs are not run at the moment'));
    await start();
    await waitFor(() => waiting.stdout.includes('Jobs are run again'));
  });

  it(`runs each of ${DUE_TIMES} due times once`, async () => {
    for (let index = 1; index <= DUE_TIMES; index += 1) {
      await advance(INTERVAL_MS);
      await waitForDueTime(getDueTime(index + 1));
    }
    const expected = Array.from({ length: DUE_TIMES }, (_, index) => getDueTime(index + 1));
    for (const event of ['started', 'finished'] as const) {
      expect((await readEvents(event)).map(({ due_at }) => due_at)).toEqual(expected);
    }
  });

  it('runs a due time again in another process after kill -9', async () => {
    for (let index = 1; index <= KILLS; index += 1) {
      await setGate('closed');
      await advance(INTERVAL_MS);
      const killed = findService((await waitForRun(2 * index - 1)).pid);
      killed.process.kill('SIGKILL');
      await once(killed.process, 'exit');
      services = services.filter((service) => service !== killed);
      await advance(LEASE_MS);
      await waitForRun(2 * index);
      await setGate('open');
      time -= LEASE_MS;
      await waitForDueTime(getDueTime(index + 1));
      services.push(await start());
    }
    const started = await readEvents('started');
    const finished = await readEvents('finished');
    expect(finished.map(({ due_at }) => due_at)).toEqual(
      Array.from({ length: KILLS }, (_, index) => getDueTime(index + 1)),
    );
    for (const [index, { due_at, pid }] of finished.entries()) {
      const [first, second] = started.slice(2 * index);
      expect([first?.due_at, second?.due_at, second?.pid]).toEqual([due_at, due_at, pid]);
      expect(first?.pid).not.toBe(pid);
    }
  });

  it('skips no due time when the database restarts', async () => {
    for (let index = 1; index <= RESTARTS; index += 1) {
      if (index % 2 === 0) {
        // While no job is run.
        await (index % 4 === 0 ? server.kill() : server.stop());
        await server.start();
        await advance(INTERVAL_MS);
      } else {
        await setGate('closed');
        await advance(INTERVAL_MS);
        await waitForRun(index);
        await (index % 4 === 1 ? server.kill() : server.stop());
        await server.start();
        await setGate('open');
      }
      await waitForDueTime(getDueTime(index + 1));
    }
    expect((await readEvents('finished')).map(({ due_at }) => due_at)).toEqual(
      Array.from({ length: RESTARTS }, (_, index) => getDueTime(index + 1)),
    );
  });

  it('drains a run after SIGTERM, and the next process runs the next due time', async () => {
    await setGate('uninterruptible');
    await advance(INTERVAL_MS);
    const stopped = findService((await waitForRun(1)).pid);
    stopped.process.kill('SIGTERM');
    await waitFor(() => stopped.stdout.includes('draining'));
    await setGate('open');
    expect(await stopped.exit).toMatchObject({ code: 0 });
    expect(await readJob()).toMatchObject({ due_at: getDueTime(2), owner: null });
    await advance(INTERVAL_MS);
    await waitForDueTime(getDueTime(3));
    const finished = await readEvents('finished');
    expect(finished.map(({ due_at }) => due_at)).toEqual([getDueTime(1), getDueTime(2)]);
    expect(finished[1]?.pid).not.toBe(stopped.process.pid);
  });

  it('runs a due time again at once if its run throws after SIGTERM', async () => {
    await setGate('closed');
    await advance(INTERVAL_MS);
    const stopped = findService((await waitForRun(1)).pid);
    stopped.process.kill('SIGTERM');
    expect(await stopped.exit).toMatchObject({ code: 0 });
    const { due_at, pid } = await waitForRun(2);
    expect(due_at).toEqual(getDueTime(1));
    expect(pid).not.toBe(stopped.process.pid);
    await setGate('open');
    await waitForDueTime(getDueTime(2));
  });

  it('stops within SHUTDOWN_TIMEOUT_MS, and another process waits until the claim has expired', async () => {
    for (const service of services) service.process.kill('SIGKILL');
    services = [await start({ SHUTDOWN_TIMEOUT_MS: '300' })];
    await setGate('uninterruptible');
    await advance(INTERVAL_MS);
    const stopped = findService((await waitForRun(1)).pid);
    stopped.process.kill('SIGTERM');
    const { code, stdout } = await stopped.exit;
    expect(code).toBe(0);
    expect(stdout).toContain('Jobs did not end within 300 ms');
    expect((await readJob())?.owner).toContain(`/${stopped.process.pid}/`);
    await setGate('open');
    services = [await start()];
    await advance(LEASE_MS);
    await waitForDueTime(getDueTime(2));
    expect((await readEvents('started')).map(({ due_at }) => due_at)).toEqual([
      getDueTime(1),
      getDueTime(1),
    ]);
  });
});
