import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runService, type Service, startService, stopService } from './fixtures/process.js';
import { copyProject, createProject } from './fixtures/project.js';
import { createEmbeddedTestDatabase } from './fixtures/test-database.js';
import { waitFor } from './fixtures/wait-for.js';

const MIGRATION = '20260101000000_create_visits.sql';

const MODULE = `
import { Body, Controller, Get, Module, Post } from '@nestjs/common';
import { IsInt, IsISO8601 } from 'class-validator';
import { DatabaseModule } from '../../platform/database/database.module.js';
import { DatabaseService } from '../../platform/database/database.service.js';

class VisitDto {
  @IsInt()
  id!: number;

  @IsISO8601()
  at!: string;
}

@Controller('visits')
class VisitController {
  constructor(private readonly database: DatabaseService<{ visits: { id: number; at: Date } }>) {}

  @Post()
  async create(@Body() { id, at }: VisitDto) {
    await this.database.db.insertInto('visits').values({ id, at: new Date(at) }).execute();
  }

  @Get()
  findAll() {
    return this.database.db.selectFrom('visits').selectAll().orderBy('id').execute();
  }
}

@Module({ imports: [DatabaseModule], controllers: [VisitController] })
export class VisitModule {}
`;

/** The local time zone of Amsterdam was 17 seconds off a whole minute then. */
const VISIT_TIME = '1880-01-01T12:34:56.789Z';

let project: string;
/** A folder for the data of each test. */
let folder: string;

beforeAll(async () => {
  project = await createProject({
    'src/features/visit/visit.module.ts': MODULE,
    [`src/migrations/${MIGRATION}`]:
      'create table visits (id integer primary key, at timestamptz(3) not null);',
  });
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-data-'));
  // Each service would create one, which takes seconds.
  await createEmbeddedTestDatabase(folder);
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function start(): Promise<Service> {
  return startService({ cwd: project, env: { DATA_DIR: folder, TZ: 'Europe/Amsterdam' } });
}

/** Runs a program of the project and returns its output. */
async function runProgram(args: string[], env = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: project,
    env: { PATH: process.env.PATH, DATA_DIR: folder, ...env },
  });
  return stdout;
}

async function createVisit({ url }: Service, id: number): Promise<void> {
  const response = await fetch(`${url}/visits`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ id, at: VISIT_TIME }),
  });
  expect(response.status).toBe(201);
}

async function findVisits({ url }: Service): Promise<{ id: number; at: string }[]> {
  const response = await fetch(`${url}/visits`);
  return (await response.json()) as { id: number; at: string }[];
}

describe('embedded database', () => {
  it('keeps every acknowledged insert if the process is killed', async () => {
    const service = await start();
    const acknowledged: number[] = [];
    let nextId = 0;
    const insertUntilKilled = async () => {
      for (;;) {
        const id = (nextId += 1);
        try {
          await createVisit(service, id);
        } catch (error) {
          if (service.process.killed) return;
          throw error;
        }
        acknowledged.push(id);
      }
    };
    const clients = [1, 2, 3, 4].map(insertUntilKilled);
    await waitFor(() => acknowledged.length >= 300);
    await stopService(service, 'SIGKILL');
    await Promise.all(clients);
    const restarted = await start();
    const visits = await findVisits(restarted);
    expect(visits.map(({ id }) => id)).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(visits.map(({ at }) => at))).toEqual(new Set([VISIT_TIME]));
    await stopService(restarted);
  });

  it('is used by one process at a time', async () => {
    const service = await start();
    await createVisit(service, 1);
    const error = `The process ${service.process.pid} uses the embedded database in ${folder}/postgres.`;
    const second = await runService({ cwd: project, env: { DATA_DIR: folder, PORT: '0' } });
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining(error) as string });
    for (const args of [
      ['scripts/database.js', 'select 1'],
      ['scripts/database.js', '--reset'],
      ['dist/migrate.js'],
    ]) {
      await expect(runProgram(args)).rejects.toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(error) as string,
      });
    }
    await stopService(service);
    expect(await runProgram(['scripts/database.js', 'select id, at from visits'])).toMatch(
      /│ id │ +at +│\n.*\n│ 0 +│ 1 +│ '1880-01-01T12:34:56.789Z' │\n.*\nSELECT 1\n$/,
    );
  });

  it('names the version of PostgreSQL that has created the data', async () => {
    await runProgram(['scripts/database.js', 'select 1']);
    await writeFile(join(folder, 'postgres/PG_VERSION'), '17\n');
    const { code, stderr } = await runService({
      cwd: project,
      env: { DATA_DIR: folder, PORT: '0' },
    });
    expect(code).toBe(1);
    expect(stderr).toContain(
      `The embedded database cannot open ${folder}/postgres, which PostgreSQL 17 has created.`,
    );
    expect(await runProgram(['scripts/database.js', '--reset'])).toBe(
      `Deleted ${folder}/postgres\n`,
    );
    await stopService(await start());
  });

  it('is required only if a feature uses a database', async () => {
    const copy = await copyProject(['package.json', 'dist']);
    await unlink(join(copy, 'node_modules/@electric-sql'));
    await unlink(join(copy, 'node_modules/kysely'));
    await unlink(join(copy, 'node_modules/pg'));
    const service = await startService({ cwd: copy });
    const response = await fetch(`${service.url}/system/readyz`);
    expect(response.status).toBe(200);
    const { checks } = (await response.json()) as { checks: object };
    expect(Object.keys(checks)).not.toContain('database');
    expect(Object.keys(checks)).not.toContain('migrations');
    await stopService(service);
  });

  it('may be missing in production only', async () => {
    const copy = await copyProject(['package.json']);
    await cp(join(project, 'dist'), join(copy, 'dist'), { recursive: true });
    await unlink(join(copy, 'node_modules/@electric-sql'));
    const env = { DATA_DIR: folder, PORT: '0' };
    expect(await runService({ cwd: copy, env })).toMatchObject({
      code: 1,
      stderr:
        'DATABASE_URL is not set, and the embedded database is not installed. Set DATABASE_URL, or run npm install without --omit=dev.\n',
    });
    const DATABASE_URL = 'postgres://127.0.0.1:1/pets';
    const service = await startService({
      cwd: copy,
      env: { ...env, NODE_ENV: 'production', DATABASE_URL },
    });
    const { status, headers } = await fetch(`${service.url}/visits`);
    expect([status, headers.get('Retry-After')]).toEqual([503, '1']);
    await stopService(service);
  });
});

describe('npm run migrate', () => {
  it('applies migrations and lists them', async () => {
    // The platform has migrations too.
    expect(await runProgram(['dist/migrate.js', '--status'])).toContain(`pending  ${MIGRATION}\n`);
    expect(await runProgram(['dist/migrate.js'])).toContain(`applied  ${MIGRATION}\n`);
    expect(await runProgram(['dist/migrate.js'])).toBe('Nothing to apply.\n');
    const status = await runProgram(['dist/migrate.js', '--status']);
    expect(status).toMatch(
      /^applied {2}20260101000000_create_visits\.sql \d{4}-\d\d-\d\dT[\d:.]+Z\n/,
    );
    expect(status).not.toContain('pending');
  });

  it.each([
    [['--all'], {}, 2, "Unknown option '--all'"],
    [[], { NODE_ENV: 'production' }, 1, 'DATABASE_URL: expected a URL such as '],
    [
      [],
      { DATABASE_URL: 'postgres://user:secret@127.0.0.1:1/pets' },
      1,
      /^The database is not available: connect ECONNREFUSED 127.0.0.1:1\n$/,
    ],
  ])('reports errors: %j %j', async (args, env, code, stderr) => {
    await expect(runProgram(['dist/migrate.js', ...args], env)).rejects.toMatchObject({
      code,
      stdout: '',
      stderr: (typeof stderr === 'string'
        ? expect.stringContaining(stderr)
        : expect.stringMatching(stderr)) as string,
    });
  });
});

describe('npm run database', () => {
  it('prints the rows of each statement', async () => {
    const text = "create table a (b jsonb); insert into a values ('[1]'), (null) returning b";
    expect((await runProgram(['scripts/database.js', text])).split('\n').slice(-5)).toEqual([
      expect.stringMatching(/│ 0 +│ '\[1\]' │$/),
      expect.stringMatching(/│ 1 +│ null +│$/),
      expect.stringMatching(/^└/),
      'INSERT 2',
      '',
    ]);
  });

  it.each([
    [[], {}, 2, 'Expected SQL in quotes, or --reset\n\nUsage: npm run database'],
    [['select 1', '--reset'], {}, 2, 'Expected SQL in quotes, or --reset\n\nUsage:'],
    [['--all'], {}, 2, "Unknown option '--all'"],
    [['selec 1'], {}, 1, 'syntax error at or near "selec"\n'],
    [
      ['--reset'],
      { DATABASE_URL: 'postgres://127.0.0.1:1/pets' },
      1,
      'DATABASE_URL is set. --reset deletes embedded databases only.\n',
    ],
  ])('reports errors: %j %j', async (args, env, code, stderr) => {
    await expect(runProgram(['scripts/database.js', ...args], env)).rejects.toMatchObject({
      code,
      stderr: expect.stringContaining(stderr) as string,
    });
  });
});
