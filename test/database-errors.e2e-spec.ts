import { sql } from 'kysely';
import pg from 'pg';
import { DatabaseService } from '../src/platform/database/database.service.js';
import { createTestApp } from './fixtures/app.js';
import { NotesModule } from './fixtures/features/notes/notes.module.js';

const ID = '00000000-0000-7000-8000-000000000001';

/** A statement, and what repositories can rely on in its error, with the embedded database and with a server. */
const ERRORS: [name: string, statement: string, error: Partial<pg.DatabaseError>][] = [
  [
    'a taken id',
    `insert into pets values ('${ID}', 'Ada', 1, null)`,
    { code: '23505', table: 'pets', constraint: 'pets_pkey' },
  ],
  [
    'a taken unique value',
    `insert into pets values (gen_random_uuid(), 'Rex', 1, null)`,
    { code: '23505', table: 'pets', constraint: 'pets_name_key' },
  ],
  [
    'a missing reference',
    `update pets set parent = gen_random_uuid()`,
    { code: '23503', table: 'pets', constraint: 'pets_parent_fkey' },
  ],
  [
    'a row that is still referenced',
    `insert into pets values (gen_random_uuid(), 'Ida', 1, '${ID}'); delete from pets where name = 'Rex'`,
    { code: '23503', table: 'pets', constraint: 'pets_parent_fkey' },
  ],
  [
    'a missing value',
    `update pets set name = null`,
    { code: '23502', table: 'pets', column: 'name', constraint: undefined },
  ],
  [
    'a violated check',
    `update pets set weight = -1`,
    { code: '23514', table: 'pets', constraint: 'pets_weight_check' },
  ],
  ['a string that is too long', `update pets set name = repeat('x', 81)`, { code: '22001' }],
  ['an invalid UUID', `select 'x'::uuid`, { code: '22P02' }],
  ['an invalid date', `select '2026-02-30'::date`, { code: '22008' }],
  ['a number that is out of range', `select 2147483648::integer`, { code: '22003' }],
  ['a division by zero', `select 1 / 0`, { code: '22012' }],
  ['a syntax error', `selec 1`, { code: '42601', position: '1' }],
  ['an unknown table', `select from cats`, { code: '42P01', position: '13' }],
  ['an unknown column', `select color from pets`, { code: '42703', position: '8' }],
];

let database: DatabaseService;

beforeAll(async () => {
  const { app } = await createTestApp({
    features: [NotesModule],
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  });
  database = app.get(DatabaseService);
  await sql`
    create table pets (
      id uuid primary key,
      name varchar(80) not null,
      weight integer not null,
      parent uuid,
      constraint pets_name_key unique (name),
      constraint pets_weight_check check (weight > 0),
      constraint pets_parent_fkey foreign key (parent) references pets (id)
    )`.execute(database.db);
  await sql`insert into pets values (${ID}, 'Rex', 1, null)`.execute(database.db);
});

it.each(ERRORS)('reports %s with the code and the constraint', async (_, statement, expected) => {
  const statements = statement.split('; ');
  const error: unknown = await database
    .transaction(async (tx) => {
      for (const text of statements) await sql.raw(text).execute(tx);
    })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(pg.DatabaseError);
  expect(error).toMatchObject(expected);
});

it('reports NUL in a string', async () => {
  const error: unknown = await sql`select ${'\0'}::text`
    .execute(database.db)
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(pg.DatabaseError);
  expect(error).toMatchObject({ code: '22021' });
});

it('reports statements after an error in a transaction, and rolls it back', async () => {
  const transaction = database.transaction(async (tx) => {
    await sql`update pets set weight = 2`.execute(tx);
    await sql`select 1 / 0`.execute(tx).catch(() => undefined);
    await sql`select 1`.execute(tx);
  });
  await expect(transaction).rejects.toMatchObject({ code: '25P02' });
  const { rows } = await sql`select name, weight from pets`.execute(database.db);
  expect(rows).toEqual([{ name: 'Rex', weight: 1 }]);
});
