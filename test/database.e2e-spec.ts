import { getHeapSpaceStatistics, serialize } from 'node:v8';
import { jest } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { sql } from 'kysely';
import pg from 'pg';
import request from 'supertest';
import { DatabaseUnavailableException } from '../src/platform/database/database-errors.js';
import { DatabaseService } from '../src/platform/database/database.service.js';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { NotesModule } from './fixtures/features/notes/notes.module.js';
import type { NotesTables } from './fixtures/features/notes/notes.table.js';
import { findFreePort } from './fixtures/free-port.js';
import { waitFor } from './fixtures/wait-for.js';

const isEmbedded = process.env.TEST_DATABASE_URL === undefined;

let app: NestExpressApplication;
let log: TestApp['log'];
let database: DatabaseService<NotesTables>;

function createNotesApp(settings = {}): Promise<TestApp> {
  const migrations = new URL('./fixtures/migrations/', import.meta.url);
  return createTestApp({ settings, features: [NotesModule], migrations });
}

beforeAll(async () => {
  ({ app, log } = await createNotesApp());
  database = app.get<DatabaseService<NotesTables>>(DatabaseService);
});

afterEach(() => {
  jest.restoreAllMocks();
});

async function readMetric(server: NestExpressApplication, name: string): Promise<string[]> {
  const { text } = await request(server.getHttpServer()).get('/metrics').expect(200);
  return text.split('\n').filter((line) => line.startsWith(name));
}

describe('DatabaseModule', () => {
  it('stores and returns values unchanged', async () => {
    const note = { title: 'Rex', day: '1899-12-31', count: Number.MAX_SAFE_INTEGER };
    const created = await request(app.getHttpServer()).post('/notes').send(note).expect(201);
    expect(created.body).toEqual({
      id: expect.any(String) as string,
      ...note,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
    });
    await request(app.getHttpServer())
      .get('/notes')
      .expect(200, [created.body as object]);
  });

  it('rolls a transaction back if one of its statements fails', async () => {
    await request(app.getHttpServer())
      .put('/notes')
      .send({ titles: ['a', 'b'] })
      .expect(200);
    log.length = 0;
    await request(app.getHttpServer())
      .put('/notes')
      .send({ titles: ['private', 'private'] })
      .expect(500, { detail: 'Internal Server Error' });
    const response = await request(app.getHttpServer()).get('/notes').expect(200);
    const notes = response.body as { title: string }[];
    expect(notes.map(({ title }) => title)).toEqual(['a', 'b']);
    const [record] = log.filter(({ level }) => level === 'error');
    expect(record?.err).toMatchObject({
      code: '23505',
      message: 'duplicate key value violates unique constraint "notes_title_key"',
    });
    expect(JSON.stringify(log)).not.toContain('private');
  });

  it('adds readiness checks', async () => {
    const response = await request(app.getHttpServer()).get('/system/readyz').expect(200);
    expect(response.body).toMatchObject({ checks: { database: 'up', migrations: 'up' } });
  });

  it('measures queries and connections', async () => {
    await database.db.selectFrom('notes').selectAll().execute();
    const counts = await readMetric(app, 'petsage_database_query_duration_seconds_count');
    expect(counts.map((line) => /operation="(\w+)"/.exec(line)?.[1]).sort()).toEqual([
      'delete',
      'insert',
      'other',
      'select',
    ]);
    const connections = await readMetric(app, 'petsage_database_pool_connections{');
    expect(connections.filter((line) => !line.includes('idle'))).toEqual([
      'petsage_database_pool_connections{state="active"} 0',
      'petsage_database_pool_connections{state="waiting"} 0',
    ]);
  });
});

describe('values', () => {
  it.each([
    ['date', '0001-02-03', '0001-02-03'],
    ['date[]', ['1899-12-31', null], ['1899-12-31', null]],
    ['timestamptz', new Date('1880-01-01T12:34:56.789Z'), new Date('1880-01-01T12:34:56.789Z')],
    ['bigint', -Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER],
    ['bigint[]', [1, Number.MAX_SAFE_INTEGER], [1, Number.MAX_SAFE_INTEGER]],
    ['numeric', '0.10', '0.10'],
    ['double precision', 5e-324, 5e-324],
    ['text', '\u{1f415} שלום', '\u{1f415} שלום'],
    ['text[]', ['a,b', '"c"', '', 'NULL', '{}'], ['a,b', '"c"', '', 'NULL', '{}']],
    ['boolean', false, false],
    ['jsonb', { tags: ['a'], age: null }, { tags: ['a'], age: null }],
    ['jsonb', JSON.stringify(['a']), ['a']],
    ['bytea', Buffer.from([0, 255]), Buffer.from([0, 255])],
    ['text', undefined, null],
  ])('reads %s %p as %p', async (type, value, expected) => {
    const query = sql<{ value: unknown }>`select ${value}::${sql.raw(type)} as value`;
    expect((await query.execute(database.db)).rows).toEqual([{ value: expected }]);
  });

  it('rejects a bigint that is not a safe integer', async () => {
    const query = sql`select ${'9007199254740992'}::bigint`;
    await expect(query.execute(database.db)).rejects.toThrow(
      new RangeError('9007199254740992 is not a safe integer. Select the column as text.'),
    );
  });

  it.each([
    ['text', 'a\0b', '22021'],
    ['integer', 2 ** 31, '22003'],
    ['uuid', 'Rex', '22P02'],
    ['date', '2026-02-30', '22008'],
  ])('rejects %s %p with the code %s', async (type, value, code) => {
    const query = sql`select ${value}::${sql.raw(type)}`;
    await expect(query.execute(database.db)).rejects.toMatchObject({ code });
    await expect(query.execute(database.db)).rejects.toBeInstanceOf(pg.DatabaseError);
  });

  it('counts changed rows', async () => {
    await database.db.deleteFrom('notes').execute();
    await request(app.getHttpServer())
      .put('/notes')
      .send({ titles: ['a', 'b'] });
    const { numUpdatedRows } = await database.db
      .updateTable('notes')
      .set({ count: 1 })
      .executeTakeFirst();
    expect(numUpdatedRows).toBe(2n);
  });
});

// The embedded database itself allocates memory there.
(isEmbedded ? it.skip : it)('keeps no results of queries in the old generation of V8', async () => {
  const query = sql`select i, repeat('a', 50) || i as text, now() as time from generate_series(1, 100) as i`;
  const runQueries = async () => {
    for (let count = 0; count < 500; count += 1) {
      await Promise.all([1, 2, 3, 4].map(() => query.execute(database.db)));
    }
  };
  await runQueries();
  const before = readOldBytes();
  await runQueries();
  const grownPerQuery = (readOldBytes() - before) / 2000;
  const { rows } = await query.execute(database.db);
  // In the heap, a result takes more than twice as much as serialized.
  expect(grownPerQuery).toBeLessThan(serialize(rows).length);
});

function readOldBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
  return space?.space_used_size ?? NaN;
}

describe('transaction()', () => {
  it('repeats a transaction that conflicts with another one', async () => {
    await database.db.deleteFrom('notes').execute();
    let calls = 0;
    const result = await database.transaction(async (tx) => {
      await sql`insert into notes (id, title, created_at) values (gen_random_uuid(), 'a', now())`.execute(
        tx,
      );
      calls += 1;
      if (calls < 3) await fail('40001').execute(tx);
      return calls;
    });
    expect(result).toBe(3);
    expect(await database.db.selectFrom('notes').select('title').execute()).toEqual([
      { title: 'a' },
    ]);
  });

  it('repeats a transaction that conflicts after it has rolled back to a savepoint', async () => {
    let calls = 0;
    const result = await database.transaction(async (tx) => {
      await sql`savepoint a`.execute(tx);
      await sql`rollback to savepoint a`.execute(tx);
      calls += 1;
      if (calls < 3) await fail('40001').execute(tx);
      return calls;
    });
    expect(result).toBe(3);
  });

  it('throws a 503 if it conflicts six times', async () => {
    let calls = 0;
    const result = database.transaction(async (tx) => {
      calls += 1;
      await fail('40P01').execute(tx);
    });
    await expect(result).rejects.toBeInstanceOf(DatabaseUnavailableException);
    await expect(result).rejects.toMatchObject({
      status: 503,
      headers: { 'Retry-After': '1' },
      cause: { code: '40P01' },
    });
    expect(calls).toBe(6);
  });

  it('does not repeat other errors', async () => {
    let calls = 0;
    const result = database.transaction(async (tx) => {
      calls += 1;
      await fail('23505').execute(tx);
    });
    await expect(result).rejects.toMatchObject({ code: '23505' });
    expect(calls).toBe(1);
  });

  it('fails if the function catches the error of a statement', async () => {
    const result = database.transaction(async (tx) => {
      await fail('23505')
        .execute(tx)
        .catch(() => undefined);
    });
    await expect(result).rejects.toThrow('rolled back');
  });

  it.each([
    // Nothing has changed, or the server rolls back.
    ['start transaction isolation level read committed', { 'Retry-After': '1' }],
    ['delete from "notes"', { 'Retry-After': '1' }],
    ['commit', {}],
  ])('throws a 503 if the connection is lost during %p', async (lost, headers) => {
    const query = jest.spyOn(pg.Client.prototype, 'query') as jest.SpiedFunction<
      (text: string, parameters: unknown[], callback: (...results: unknown[]) => void) => void
    >;
    query.mockImplementation((text, _parameters, callback) => {
      if (text === lost) callback(new Error('Connection terminated unexpectedly'));
      else callback(null, { command: '', rowCount: 0, rows: [] });
    });
    const result = database.transaction((tx) => tx.deleteFrom('notes').execute());
    await expect(result).rejects.toMatchObject({ status: 503, headers });
    // It is not repeated, and there is no ROLLBACK.
    expect(query.mock.calls.at(-1)?.[0]).toBe(lost);
  });

  (isEmbedded ? it : it.skip)('rejects queries that do not use tx', async () => {
    const result = database.transaction(() => database.db.selectFrom('notes').execute());
    await expect(result).rejects.toThrow(
      'This query is not part of the transaction that its caller has opened. Use tx, the argument of the function that is passed to transaction(): the embedded database has a single connection.',
    );
  });

  it('allows queries of work that continues after the transaction', async () => {
    let work: Promise<unknown> | undefined;
    let end = (): void => undefined;
    await database.transaction(() => {
      work = new Promise<void>((resolve) => (end = resolve)).then(() =>
        database.db.selectFrom('notes').select('id').execute(),
      );
      return Promise.resolve();
    });
    end();
    await expect(work).resolves.toBeInstanceOf(Array);
  });
});

describe('connections', () => {
  it('limits the time of waiting for one', async () => {
    const { app: other } = await createNotesApp({
      DATABASE_POOL_SIZE: '1',
      DATABASE_TIMEOUT_MS: '500',
    });
    let commit = (): void => undefined;
    const transaction = other
      .get(DatabaseService)
      .transaction(() => new Promise<void>((resolve) => (commit = resolve)));
    await waitFor(async () =>
      (await readMetric(other, 'petsage_database_pool_connections')).some((line) =>
        line.endsWith('{state="active"} 1'),
      ),
    );
    try {
      log.length = 0;
      await request(other.getHttpServer())
        .get('/notes')
        .expect('Retry-After', '1')
        .expect(503, { detail: 'Service Unavailable' });
      const [record] = log.filter(({ level }) => level === 'error');
      expect(record?.err).toMatchObject({
        message: 'The database is not available: timeout exceeded when trying to connect',
      });
    } finally {
      commit();
    }
    await transaction;
    await request(other.getHttpServer()).get('/notes').expect(200, []);
  });

  it('starts while the server is down', async () => {
    const port = await findFreePort();
    const { app: other } = await createNotesApp({
      DATABASE_URL: `postgres://user:secret@127.0.0.1:${port}/pets`,
      DATABASE_MIGRATE: 'true',
    });
    await request(other.getHttpServer())
      .get('/notes')
      .expect('Retry-After', '1')
      .expect(503, { detail: 'Service Unavailable' });
    const response = await request(other.getHttpServer()).get('/system/readyz').expect(503);
    expect(response.body).toMatchObject({ checks: { database: 'down', migrations: 'down' } });
    expect(JSON.stringify(log)).not.toContain('secret');
  });
});

/** A statement that fails with an SQLSTATE. */
function fail(code: string) {
  return sql.raw(`do $$ begin raise exception using errcode = '${code}'; end $$`);
}
