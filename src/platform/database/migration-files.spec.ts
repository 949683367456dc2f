import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readMigrations } from './migration-files.js';

let path: string;
let folder: URL;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'petsage-migrations-'));
  folder = pathToFileURL(`${path}/`);
});

afterEach(async () => {
  await rm(path, { recursive: true });
});

async function write(file: string, sql: string): Promise<void> {
  await writeFile(join(path, file), sql);
}

describe('readMigrations()', () => {
  it('returns the SQL files by version', async () => {
    await write('20260102000000_add_weight.sql', 'alter table pets add weight integer');
    await write('20260101000000_create_pets.sql', 'create table pets ()');
    await write('README.md', 'text');
    expect(await readMigrations(folder)).toEqual([
      {
        version: '20260101000000',
        file: '20260101000000_create_pets.sql',
        sql: 'create table pets ()',
        checksum: 'b760066b3f768681e1826ae9e1ad6f765b260542af7f02d4e552168b6a8f5587',
      },
      {
        version: '20260102000000',
        file: '20260102000000_add_weight.sql',
        sql: 'alter table pets add weight integer',
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    ]);
  });

  it('returns nothing if there is no folder', async () => {
    expect(await readMigrations(new URL('./none/', folder))).toEqual([]);
  });

  it('ignores the line ends of Windows in the checksum', async () => {
    await write('20260101000000_unix.sql', 'select 1;\nselect 2;\n');
    await write('20260102000000_windows.sql', 'select 1;\r\nselect 2;\r\n');
    const [unix, windows] = await readMigrations(folder);
    expect(windows?.checksum).toBe(unix?.checksum);
  });

  it.each([
    'create_pets.sql',
    '2026010100000_a.sql',
    '20260101000000-a.sql',
    '20260101000000_A.sql',
  ])('rejects the name %s', async (file) => {
    await write(file, 'select 1');
    await expect(readMigrations(folder)).rejects.toThrow(
      `migrations/${file}: expected a name such as 20270131093000_create_pets.sql, with the time in UTC`,
    );
  });

  it('rejects two files with the same version', async () => {
    await write('20260101000000_a.sql', 'select 1');
    await write('20260101000000_b.sql', 'select 1');
    await expect(readMigrations(folder)).rejects.toThrow(
      'The migrations 20260101000000_a.sql and 20260101000000_b.sql have the same version. Rename the newer one.',
    );
  });

  it.each([
    'BEGIN;\nselect 1;\nCOMMIT;',
    'select 1; commit; select 2',
    'create table a (b text); end; select 1',
    "prepare transaction 'a'",
    '-- a comment\nrollback',
    '/* a\ncomment */ start  transaction read only;',
    "select ';'; abort",
  ])('rejects statements that end the transaction: %j', async (sql) => {
    await write('20260101000000_a.sql', sql);
    await expect(readMigrations(folder)).rejects.toThrow(
      'migrations/20260101000000_a.sql: each file is executed in a transaction. Remove BEGIN, COMMIT and ROLLBACK.',
    );
  });

  it.each([
    '-- the rest is\n-- ; commit;\nselect 1',
    'savepoint a; rollback to savepoint a; select 1',
    'create function one() returns int begin atomic select 1; end; select one()',
    "insert into words values ('; rollback;'), ('it''s; commit')",
    'do $$\nbegin\n  perform 1; commit;\nend $$;',
    'do $body$ begin perform $$;$$; end $body$;',
    'create table commits (begin_at timestamptz(3), "; commit" text)',
  ])('accepts these words elsewhere: %j', async (sql) => {
    await write('20260101000000_a.sql', sql);
    expect(await readMigrations(folder)).toHaveLength(1);
  });
});
