import { Controller, Module, Patch, Post } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { IsolationLevel, Transaction } from 'kysely';
import pg from 'pg';
import request from 'supertest';
import { DatabaseModule } from '../src/platform/database/database.module.js';
import { DatabaseService } from '../src/platform/database/database.service.js';
import { createTestApp } from './fixtures/app.js';
import { describePostgres } from './fixtures/describe-postgres.js';
import { NotesModule } from './fixtures/features/notes/notes.module.js';
import type { NotesTables } from './fixtures/features/notes/notes.table.js';
import { PostgresProxy } from './fixtures/postgres-proxy.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { waitFor } from './fixtures/wait-for.js';

const IDS = [
  '00000000-0000-7000-8000-000000000001',
  '00000000-0000-7000-8000-000000000002',
] as const;
const REVERSED_IDS = [IDS[1], IDS[0]] as const;

type Run = (tx: Transaction<NotesTables>) => Promise<unknown>;

/** What `POST /transactions` runs, and how often it has been called. */
let run: Run;
let calls = 0;
let isolationLevel: IsolationLevel;

@Controller('transactions')
class TransactionsController {
  constructor(private readonly database: DatabaseService<NotesTables>) {}

  @Post()
  async create(): Promise<void> {
    await this.database.transaction((tx) => {
      calls += 1;
      return run(tx);
    }, isolationLevel);
  }

  /** Changes all notes in one statement. */
  @Patch()
  async update(): Promise<void> {
    const { db } = this.database;
    await db
      .updateTable('notes')
      .set((eb) => ({ count: eb('count', '+', 1) }))
      .execute();
  }
}

@Module({ imports: [DatabaseModule], controllers: [TransactionsController] })
class TransactionsModule {}

describePostgres('transaction() on a server', () => {
  const server = new PostgresServer();
  const proxy = new PostgresProxy(server);
  let app: NestExpressApplication;
  let database: string;

  beforeAll(async () => {
    await server.start();
    await proxy.start();
  });

  beforeEach(async () => {
    calls = 0;
    isolationLevel = 'read committed';
    proxy.cutOn = undefined;
    database = await server.createDatabase();
    ({ app } = await createTestApp({
      features: [NotesModule, TransactionsModule],
      migrations: new URL('./fixtures/migrations/', import.meta.url),
      settings: {
        DATABASE_URL: proxy.getUrl(database),
        DATABASE_MIGRATE: 'true',
        DATABASE_MIGRATE_URL: database,
      },
    }));
    for (const id of IDS) {
      await server.query(
        `insert into notes (id, title, count, created_at) values ('${id}', '${id}', 0, now())`,
        database,
      );
    }
  });

  afterEach(() => app.close());

  afterAll(async () => {
    proxy.remove();
    await server.remove();
  });

  it.each([
    ['has not received', false, 0],
    ['has executed', true, 1],
  ])(
    'returns 503 without Retry-After if the server %s COMMIT, and does not repeat it',
    async (_, isForwarded, count) => {
      run = (tx) => increment(tx, IDS[0]);
      // Not the isolation level "read committed".
      proxy.cutOn = 'commit\0';
      proxy.forwardsCut = isForwarded;
      const response = await request(app.getHttpServer()).post('/transactions');
      expect(response.status).toBe(503);
      expect(response.body).toEqual({ detail: 'Service Unavailable' });
      expect(response.headers).not.toHaveProperty('retry-after');
      expect(calls).toBe(1);
      await waitFor(async () => (await readCounts())[0] === count);
      proxy.cutOn = undefined;
      await request(app.getHttpServer()).post('/transactions').expect(201);
      expect(await readCounts()).toEqual([count + 1, 0]);
    },
  );

  it('returns 503 with Retry-After if the connection is lost before COMMIT, and changes nothing', async () => {
    run = (tx) => increment(tx, IDS[0]);
    proxy.cutOn = 'update';
    await request(app.getHttpServer())
      .post('/transactions')
      .expect(503, { detail: 'Service Unavailable' })
      .expect('Retry-After', '1');
    expect(calls).toBe(1);
    expect(await readCounts()).toEqual([0, 0]);
  });

  it('does not commit if the function ignores that the connection was lost', async () => {
    run = async (tx) => {
      await increment(tx, IDS[0]);
      proxy.cutOn = 'select';
      await tx
        .selectFrom('notes')
        .selectAll()
        .execute()
        .catch(() => undefined);
      proxy.cutOn = undefined;
    };
    await request(app.getHttpServer())
      .post('/transactions')
      .expect(503, { detail: 'Service Unavailable' });
    expect(await readCounts()).toEqual([0, 0]);
  });

  it('repeats a transaction that was the victim of a deadlock', async () => {
    const meet = createBarrier(2);
    run = async (tx) => {
      const ids = calls % 2 === 1 ? IDS : REVERSED_IDS;
      await increment(tx, ids[0]);
      await meet();
      await increment(tx, ids[1]);
    };
    await Promise.all([
      request(app.getHttpServer()).post('/transactions').expect(201),
      request(app.getHttpServer()).post('/transactions').expect(201),
    ]);
    expect(calls).toBe(3);
    expect(await readCounts()).toEqual([2, 2]);
  });

  it.each<IsolationLevel>(['repeatable read', 'serializable'])(
    'repeats a transaction with a serialization failure in %s',
    async (level) => {
      isolationLevel = level;
      const meet = createBarrier(2);
      run = async (tx) => {
        const { count } = await tx
          .selectFrom('notes')
          .select('count')
          .where('id', '=', IDS[0])
          .executeTakeFirstOrThrow();
        await meet();
        await tx
          .updateTable('notes')
          .set({ count: Number(count) + 1 })
          .where('id', '=', IDS[0])
          .execute();
      };
      await Promise.all([
        request(app.getHttpServer()).post('/transactions').expect(201),
        request(app.getHttpServer()).post('/transactions').expect(201),
      ]);
      expect(calls).toBe(3);
      expect(await readCounts()).toEqual([2, 0]);
    },
  );

  it('repeats a transaction whose COMMIT is a serialization failure', async () => {
    isolationLevel = 'serializable';
    const meet = createBarrier(2);
    const meetBeforeCommit = createBarrier(2);
    // Each one reads the row that the other one changes.
    run = async (tx) => {
      const [read, changed] = calls % 2 === 1 ? IDS : REVERSED_IDS;
      await tx.selectFrom('notes').select('count').where('id', '=', read).execute();
      await meet();
      await increment(tx, changed);
      await meetBeforeCommit();
    };
    await Promise.all([
      request(app.getHttpServer()).post('/transactions').expect(201),
      request(app.getHttpServer()).post('/transactions').expect(201),
    ]);
    expect(calls).toBe(3);
  });

  it('returns 503 with Retry-After if a single statement was the victim of a deadlock', async () => {
    const other = new pg.Client(database);
    await other.connect();
    await other.query("begin; set local deadlock_timeout = '1min'");
    await other.query(`update notes set count = 0 where id = '${IDS[1]}'`);
    const response = request(app.getHttpServer())
      .patch('/transactions')
      .expect(503, { detail: 'Service Unavailable' })
      .expect('Retry-After', '1')
      .then(() => undefined);
    await waitFor(async () => {
      const waiting = "select from pg_stat_activity where wait_event_type = 'Lock'";
      return (await server.query(waiting, database)).length === 1;
    });
    await other.query(`update notes set count = 0 where id = '${IDS[0]}'`);
    await response;
    await other.end();
    expect(await readCounts()).toEqual([0, 0]);
  });

  async function readCounts(): Promise<number[]> {
    const rows = await server.query('select count::integer from notes order by id', database);
    return rows.map(({ count }: { count: number }) => count);
  }
});

async function increment(tx: Transaction<NotesTables>, id: string): Promise<void> {
  await tx
    .updateTable('notes')
    .set((eb) => ({ count: eb('count', '+', 1) }))
    .where('id', '=', id)
    .execute();
}

/** Returns a function that waits until it has been called a number of times. Later calls do not wait. */
function createBarrier(count: number): () => Promise<void> {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let callers = 0;
  return async () => {
    callers += 1;
    if (callers === count) open();
    await opened;
  };
}
