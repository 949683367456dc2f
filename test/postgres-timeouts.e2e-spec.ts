import type { NestExpressApplication } from '@nestjs/platform-express';
import { sql } from 'kysely';
import pg from 'pg';
import request from 'supertest';
import { DatabaseService } from '../src/platform/database/database.service.js';
import { createTestApp } from './fixtures/app.js';
import { describePostgres } from './fixtures/describe-postgres.js';
import { NotesModule } from './fixtures/features/notes/notes.module.js';
import { PostgresProxy } from './fixtures/postgres-proxy.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { waitFor } from './fixtures/wait-for.js';

const TIMEOUT_MS = 1000;
const POOL_SIZE = 2;

describePostgres('DATABASE_TIMEOUT_MS', () => {
  const server = new PostgresServer();
  const proxy = new PostgresProxy(server);
  let app: NestExpressApplication;
  let database: string;

  beforeAll(async () => {
    await server.start();
    await proxy.start();
  });

  beforeEach(async () => {
    database = await server.createDatabase();
    ({ app } = await createTestApp({
      features: [NotesModule],
      migrations: new URL('./fixtures/migrations/', import.meta.url),
      settings: {
        DATABASE_URL: proxy.getUrl(database),
        DATABASE_MIGRATE: 'true',
        DATABASE_MIGRATE_URL: database,
        DATABASE_POOL_SIZE: String(POOL_SIZE),
        DATABASE_TIMEOUT_MS: String(TIMEOUT_MS),
      },
    }));
  });

  afterEach(() => app.close());

  afterAll(async () => {
    proxy.remove();
    await server.remove();
  });

  it('limits connecting to a server that does not answer', async () => {
    proxy.isSilent = true;
    await expectUnavailable(() => request(app.getHttpServer()).get('/notes'));
    await waitFor(() => proxy.clients.size === 0);
    expect(await readPool()).toEqual({ active: 0, idle: 0, waiting: 0 });

    proxy.isSilent = false;
    await request(app.getHttpServer()).get('/notes').expect(200, []);
  });

  it('limits a query on a connection that does not answer, and discards the connection', async () => {
    await request(app.getHttpServer()).get('/notes').expect(200, []);
    proxy.isSilent = true;
    await expectUnavailable(() => request(app.getHttpServer()).get('/notes'));
    await waitFor(() => proxy.clients.size === 0);

    proxy.isSilent = false;
    await request(app.getHttpServer()).get('/notes').expect(200, []);
    expect(await readPool()).toEqual({ active: 0, idle: 1, waiting: 0 });
  });

  it('limits a query of a server process that is stopped, and opens another connection', async () => {
    await request(app.getHttpServer()).get('/notes').expect(200, []);
    const [pid = 0] = await findPids();
    process.kill(pid, 'SIGSTOP');
    try {
      await expectUnavailable(() => request(app.getHttpServer()).get('/notes'));
      await request(app.getHttpServer()).get('/notes').expect(200, []);
      expect(await readPool()).toEqual({ active: 0, idle: 1, waiting: 0 });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await waitFor(async () => (await findPids()).length === 1);
    expect(await findPids()).not.toContain(pid);
  });

  it('limits a transaction that waits for a lock, and rolls it back', async () => {
    const client = new pg.Client(database);
    await client.connect();
    try {
      await client.query('begin; lock table notes');
      await expectUnavailable(() =>
        request(app.getHttpServer())
          .post('/notes/batch')
          .send({ titles: ['a'] }),
      );
    } finally {
      await client.end();
    }
    await waitFor(async () => (await findPids()).length === 0);
    await request(app.getHttpServer()).get('/notes').expect(200, []);
  });

  it('has no Retry-After if a statement may have changed rows', async () => {
    const client = new pg.Client(database);
    await client.connect();
    try {
      await client.query('begin; lock table notes');
      const response = await request(app.getHttpServer()).post('/notes').send({ title: 'a' });
      expect(response.status).toBe(503);
      expect(response.headers).not.toHaveProperty('retry-after');
    } finally {
      await client.end();
    }
    // The server does not notice that the connection is closed while the statement waits.
    await waitFor(async () => {
      const response = await request(app.getHttpServer()).get('/notes');
      return (response.body as object[]).length === 1;
    });
  });

  it('limits waiting for a connection while all are in use, and loses none', async () => {
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const service = app.get<DatabaseService>(DatabaseService);
    const transactions = Array.from({ length: POOL_SIZE }, () =>
      service.transaction(async (tx) => {
        await sql`select 1`.execute(tx);
        await finished;
      }),
    );
    await waitFor(async () => (await readPool()).active === POOL_SIZE);
    const responses = Promise.all(
      Array.from({ length: 5 }, () =>
        expectUnavailable(() => request(app.getHttpServer()).get('/notes')),
      ),
    );
    await waitFor(async () => (await readPool()).waiting === 5);
    await responses;
    finish();
    await Promise.all(transactions);

    await request(app.getHttpServer()).get('/notes').expect(200, []);
    expect(await readPool()).toEqual({ active: 0, idle: POOL_SIZE, waiting: 0 });
    expect(await findPids()).toHaveLength(POOL_SIZE);
  });

  async function readPool(): Promise<Record<string, number>> {
    const response = await request(app.getHttpServer()).get('/metrics').expect(200);
    const samples = response.text.matchAll(
      /^petsage_database_pool_connections\{state="(\w+)"\} (\d+)$/gm,
    );
    return Object.fromEntries(
      Array.from(samples, ([, state = '', count]) => [state, Number(count)]),
    );
  }

  /** Returns the processes of the server that serve connections of the service. */
  async function findPids(): Promise<number[]> {
    const rows = await server.query(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'petsage-api'",
      database,
    );
    return (rows as { pid: number }[]).map(({ pid }) => pid);
  }
});

/** Expects a 503 that the client may repeat, after the time limit. */
async function expectUnavailable(send: () => request.Test): Promise<void> {
  const start = performance.now();
  await send().expect(503, { detail: 'Service Unavailable' }).expect('Retry-After', '1');
  const durationMs = performance.now() - start;
  // Timers may fire up to 1 ms early.
  expect(durationMs).toBeGreaterThan(TIMEOUT_MS - 2);
  expect(durationMs).toBeLessThan(2 * TIMEOUT_MS);
}
