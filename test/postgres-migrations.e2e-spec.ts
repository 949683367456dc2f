import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { describePostgres } from './fixtures/describe-postgres.js';
import { createNotesProject } from './fixtures/notes-project.js';
import { PgBouncer } from './fixtures/pg-bouncer.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const SLOW = '20260103000000_slow.sql';
const MIGRATIONS = {
  '20260102000000_create_tags.sql': 'create table tags (name text primary key);',
  [SLOW]: 'create table slow (id integer);\nselect pg_sleep(1);\ninsert into slow values (1);',
  '20260104000000_create_labels.sql':
    'create table labels (name text);\ncreate unique index labels_name on labels (name);',
  '20260105000000_add_color.sql': 'alter table notes add column color text;',
};

describePostgres('Migrations on a server', () => {
  const server = new PostgresServer();
  const bouncer = new PgBouncer(server);
  let project: string;
  let database: string;

  beforeAll(async () => {
    await server.start();
    await bouncer.start();
    project = await createNotesProject(MIGRATIONS);
  });

  beforeEach(async () => {
    database = await server.createDatabase();
  });

  afterAll(async () => {
    await bouncer.remove();
    await server.remove();
  });

  it.each([
    ['directly', (url: string) => url],
    ['through PgBouncer', (url: string) => bouncer.getUrl(url)],
  ])('are applied once by five processes that connect %s', async (_, getUrl) => {
    const runs = Array.from({ length: 5 }, () => migrate({ DATABASE_URL: getUrl(database) }));
    const exits = await Promise.all(runs.map(({ exit }) => exit));
    expect(exits).toEqual(exits.map(({ stdout }) => ({ code: 0, stdout, stderr: '' })));
    const lines = exits.flatMap(({ stdout }) => stdout.match(/^applied .*$/gm) ?? []).sort();
    const files = await findApplied();
    expect(files).toEqual(expect.arrayContaining(Object.keys(MIGRATIONS)));
    expect(lines).toEqual(files.map((file) => `applied  ${file}`));
    expect(await server.query('select count(*)::integer from slow', database)).toEqual([
      { count: 1 },
    ]);
  });

  it.each([
    ['directly', (url: string) => url],
    ['through PgBouncer', (url: string) => bouncer.getUrl(url)],
  ])('are resumed after a process that connects %s was killed', async (_, getUrl) => {
    const { child, exit } = migrate({ DATABASE_URL: getUrl(database) });
    await waitFor(async () => {
      const sleeping =
        "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
      return (await server.query(sleeping, database)).length === 1;
    });
    child.kill('SIGKILL');
    await exit;
    expect(await findApplied()).not.toContain(SLOW);
    const next = await migrate({ DATABASE_URL: getUrl(database) }).exit;
    expect(next).toMatchObject({ code: 0, stderr: '' });
    expect(next.stdout).toMatch(new RegExp(`^applied  ${SLOW}`));
    expect(await findApplied()).toEqual(expect.arrayContaining(Object.keys(MIGRATIONS)));
    expect(await server.query('select count(*)::integer from slow', database)).toEqual([
      { count: 1 },
    ]);
  });

  it('report the file that waits too long for a lock, and change nothing', async () => {
    const last = Object.keys(MIGRATIONS).at(-1) ?? '';
    await migrate({ DATABASE_URL: database }).exit;
    await server.query(
      `alter table notes drop column color; delete from schema_migrations where file = '${last}'`,
      database,
    );
    const client = new pg.Client(database);
    await client.connect();
    try {
      await client.query('begin; lock table notes');
      expect(await migrate({ DATABASE_URL: database }).exit).toEqual({
        code: 1,
        stdout: '',
        stderr: `The database is not available: migrations/${last}: canceling statement due to lock timeout\n`,
      });
    } finally {
      await client.end();
    }
    const next = await migrate({ DATABASE_URL: database }).exit;
    expect(next).toEqual({ code: 0, stdout: `applied  ${last}\n`, stderr: '' });
  });

  it('use DATABASE_MIGRATE_URL', async () => {
    const exit = await migrate({
      DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none',
      DATABASE_MIGRATE_URL: database,
    }).exit;
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(await findApplied()).toEqual(expect.arrayContaining(Object.keys(MIGRATIONS)));
  });

  it('are reported in a line if the server is not available', async () => {
    const exit = await migrate({ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none' }).exit;
    expect(exit).toEqual({
      code: 1,
      stdout: '',
      stderr: 'The database is not available: connect ECONNREFUSED 127.0.0.1:1\n',
    });
  });

  it('let a service run through PgBouncer', async () => {
    const service = await startService({
      cwd: project,
      env: {
        NODE_ENV: 'production',
        DATABASE_URL: bouncer.getUrl(database),
        DATABASE_MIGRATE: 'true',
        // More than PgBouncer opens to the server.
        DATABASE_POOL_SIZE: '40',
      },
    });
    const titles = Array.from({ length: 40 }, (_, index) => String(index));
    await Promise.all(
      titles.map(async (title) => {
        const note = await post(`${service.url}/notes`, { title });
        expect(note).toMatchObject({ title });
        const { id } = note as { id: string };
        const read = await fetch(`${service.url}/notes/${id}`);
        expect(await read.json()).toEqual(note);
        await post(`${service.url}/notes/batch`, { titles: [`${title} 1`, `${title} 2`] });
      }),
    );
    const rows = await server.query('select title from notes', database);
    expect(rows).toHaveLength(3 * titles.length);
    expect(await stopService(service)).toMatchObject({ code: 0 });
  });

  function migrate(env: Record<string, string>) {
    const child = spawn(process.execPath, ['dist/migrate.js'], {
      cwd: project,
      env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    });
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    const exit = Promise.all([exited, text(child.stdout), text(child.stderr)]).then(
      ([code, stdout, stderr]) => ({ code, stdout, stderr }),
    );
    return { child, exit };
  }

  async function findApplied(): Promise<string[]> {
    const rows = await server.query('select file from schema_migrations order by file', database);
    return rows.map(({ file }: { file: string }) => file);
  }
});

async function post(url: string, json: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(json),
  });
  expect(response.status).toBe(201);
  const body = await response.text();
  return body === '' ? undefined : JSON.parse(body);
}
