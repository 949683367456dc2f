import { once } from 'node:events';
import { describePostgres } from './fixtures/describe-postgres.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { type Service, startService } from './fixtures/process.js';
import { createProject, readFeature } from './fixtures/project.js';
import { RemindersDatabase } from './fixtures/reminders.js';
import { waitFor } from './fixtures/wait-for.js';

const INTERVAL_MS = 600_000;

/** `npm run test:database` sets 200. */
const DUE_TIMES = Number(process.env.DUE_TIMES ?? 20);

const KILLS = DUE_TIMES / 10;

/** At least each kind of restart once. */
const RESTARTS = Math.max(4, DUE_TIMES / 20);

/** The time between a claim and its expiry. */
const LEASE_MS = 30_000;

describePostgres('scheduled jobs of three processes', () => {
  const server = new PostgresServer();
  let project: string;
  let url: string;
  let reminders: RemindersDatabase;
  let services: Service[] = [];

  beforeAll(async () => {
    project = await createProject(await readFeature('reminders'));
    await server.start();
  });

  afterAll(() => server.remove());

  beforeEach(async () => {
    url = await server.createDatabase();
    reminders = new RemindersDatabase(server, url);
    await reminders.create();
    services = await Promise.all([start(), start(), start()]);
    await waitFor(async () => (await reminders.readJob()) !== undefined);
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
      await reminders.advance(INTERVAL_MS);
      await reminders.waitForDueTime(getDueTime(index + 1));
    }
    const expected = Array.from({ length: DUE_TIMES }, (_, index) => getDueTime(index + 1));
    for (const event of ['started', 'finished'] as const) {
      expect((await reminders.readEvents(event)).map(({ due_at }) => due_at)).toEqual(expected);
    }
  });

  it('runs a due time again in another process after kill -9', async () => {
    for (let index = 1; index <= KILLS; index += 1) {
      await reminders.setGate('closed');
      await reminders.advance(INTERVAL_MS);
      const killed = findService((await reminders.waitForRun(2 * index - 1)).pid);
      killed.process.kill('SIGKILL');
      await once(killed.process, 'exit');
      services = services.filter((service) => service !== killed);
      await reminders.advance(LEASE_MS);
      await reminders.waitForRun(2 * index);
      await reminders.setGate('open');
      reminders.time -= LEASE_MS;
      await reminders.waitForDueTime(getDueTime(index + 1));
      services.push(await start());
    }
    const started = await reminders.readEvents('started');
    const finished = await reminders.readEvents('finished');
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
        await reminders.advance(INTERVAL_MS);
      } else {
        await reminders.setGate('closed');
        await reminders.advance(INTERVAL_MS);
        await reminders.waitForRun(index);
        await (index % 4 === 1 ? server.kill() : server.stop());
        await server.start();
        await reminders.setGate('open');
      }
      await reminders.waitForDueTime(getDueTime(index + 1));
    }
    expect((await reminders.readEvents('finished')).map(({ due_at }) => due_at)).toEqual(
      Array.from({ length: RESTARTS }, (_, index) => getDueTime(index + 1)),
    );
  });

  it('drains a run after SIGTERM, and the next process runs the next due time', async () => {
    await reminders.setGate('uninterruptible');
    await reminders.advance(INTERVAL_MS);
    const stopped = findService((await reminders.waitForRun(1)).pid);
    stopped.process.kill('SIGTERM');
    await waitFor(() => stopped.stdout.includes('draining'));
    await reminders.setGate('open');
    expect(await stopped.exit).toMatchObject({ code: 0 });
    expect(await reminders.readJob()).toMatchObject({ due_at: getDueTime(2), owner: null });
    await reminders.advance(INTERVAL_MS);
    await reminders.waitForDueTime(getDueTime(3));
    const finished = await reminders.readEvents('finished');
    expect(finished.map(({ due_at }) => due_at)).toEqual([getDueTime(1), getDueTime(2)]);
    expect(finished[1]?.pid).not.toBe(stopped.process.pid);
  });

  it('runs a due time again at once if its run throws after SIGTERM', async () => {
    await reminders.setGate('closed');
    await reminders.advance(INTERVAL_MS);
    const stopped = findService((await reminders.waitForRun(1)).pid);
    stopped.process.kill('SIGTERM');
    expect(await stopped.exit).toMatchObject({ code: 0 });
    const { due_at, pid } = await reminders.waitForRun(2);
    expect(due_at).toEqual(getDueTime(1));
    expect(pid).not.toBe(stopped.process.pid);
    await reminders.setGate('open');
    await reminders.waitForDueTime(getDueTime(2));
  });

  it('stops within SHUTDOWN_TIMEOUT_MS, and another process waits until the claim has expired', async () => {
    for (const service of services) service.process.kill('SIGKILL');
    services = [await start({ SHUTDOWN_TIMEOUT_MS: '300' })];
    await reminders.setGate('uninterruptible');
    await reminders.advance(INTERVAL_MS);
    const stopped = findService((await reminders.waitForRun(1)).pid);
    stopped.process.kill('SIGTERM');
    const { code, stdout } = await stopped.exit;
    expect(code).toBe(0);
    expect(stdout).toContain('Jobs did not end within 300 ms');
    expect((await reminders.readJob())?.owner).toContain(`/${stopped.process.pid}/`);
    await reminders.setGate('open');
    services = [await start()];
    await reminders.advance(LEASE_MS);
    await reminders.waitForDueTime(getDueTime(2));
    expect((await reminders.readEvents('started')).map(({ due_at }) => due_at)).toEqual([
      getDueTime(1),
      getDueTime(1),
    ]);
  });
});
