import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { EmbeddedDatabase } from './embedded-database.js';

/** More than the highest id of a process. */
const UNUSED_PID = 2 ** 30;

let folder: string;
let database: EmbeddedDatabase;

beforeAll(async () => {
  Logger.overrideLogger(false);
  folder = await mkdtemp(join(tmpdir(), 'petsage-data-'));
  database = new EmbeddedDatabase(folder);
  await writeFile(join(folder, `postgres.${UNUSED_PID}.lock`), '');
  await database.open();
});

afterAll(async () => {
  await database.close();
  expect(await readdir(folder)).toEqual(['postgres']);
  await rm(folder, { recursive: true });
});

async function connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({
    ...{ stream: () => database.createConnection(), user: 'postgres', database: 'postgres' },
    ...options,
  });
  await client.connect();
  return client;
}

describe('EmbeddedDatabase', () => {
  it('replaces the lock of a process that has been killed', async () => {
    expect((await readdir(folder)).sort()).toEqual(['postgres', `postgres.${process.pid}.lock`]);
  });

  it('cannot be opened twice', async () => {
    await expect(new EmbeddedDatabase(folder).open()).rejects.toThrow(
      `The process ${process.pid} uses the embedded database in ${folder}/postgres. Stop it, set DATA_DIR to another folder, or set DATABASE_URL to use a server. If ${process.pid} is another program, delete ${folder}/postgres.${process.pid}.lock.`,
    );
  });

  it('cannot be opened while another process has it open', async () => {
    const other = await mkdtemp(join(tmpdir(), 'petsage-data-'));
    await writeFile(join(other, `postgres.${process.ppid}.lock`), '');
    await expect(new EmbeddedDatabase(other).open()).rejects.toThrow(
      `The process ${process.ppid} uses the embedded database in ${other}/postgres.`,
    );
    expect(await readdir(other)).toEqual([`postgres.${process.ppid}.lock`]);
    await rm(other, { recursive: true });
  });

  it('ends the session of a connection that is closed', async () => {
    const first = await connect();
    await first.query('create table pets (); set lock_timeout = 123');
    await first.query('begin; create table visits ()');
    await first.end();
    const second = await connect();
    const { rows } = await second.query(
      "select to_regclass('pets') as pets, to_regclass('visits') as visits, current_setting('lock_timeout') as timeout",
    );
    expect(rows).toEqual([{ pets: 'pets', visits: null, timeout: '0' }]);
    await second.end();
  });

  it('executes queries without a time limit, because they block the process', async () => {
    const client = await connect({ query_timeout: 100 });
    await expect(client.query('select pg_sleep(0.5)')).resolves.toMatchObject({ rowCount: 1 });
    await client.end();
  });

  it('deletes the data', async () => {
    const other = await mkdtemp(join(tmpdir(), 'petsage-data-'));
    await writeFile(join(other, 'postgres'), '');
    expect(await new EmbeddedDatabase(other).reset()).toBe(join(other, 'postgres'));
    expect(existsSync(join(other, 'postgres'))).toBe(false);
    await rm(other, { recursive: true });
  });
});
