import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { sql } from 'kysely';
import request from 'supertest';
import { DatabaseService } from '../src/platform/database/database.service.js';
import { createTestApp } from './fixtures/app.js';
import { NotesModule } from './fixtures/features/notes/notes.module.js';
import { createTestDatabase, type TestDatabase } from './fixtures/test-database.js';

const CREATE_PETS = '20260101000000_create_pets.sql';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-migrations-'));
  database = await createTestDatabase(join(folder, 'data'));
});

afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Starts a service with migrations, and closes it after the function. */
async function withApp(
  migrations: Record<string, string>,
  run: (app: NestExpressApplication) => Promise<void> = () => Promise.resolve(),
  settings = {},
): Promise<void> {
  const migrationsFolder = await mkdtemp(join(folder, 'migrations-'));
  for (const [file, text] of Object.entries(migrations)) {
    await writeFile(join(migrationsFolder, file), text);
  }
  const { app } = await createTestApp({
    settings: { ...database.settings, ...settings },
    features: [NotesModule],
    migrations: pathToFileURL(`${migrationsFolder}/`),
  });
  try {
    await run(app);
  } finally {
    await app.close();
  }
}

async function query(app: NestExpressApplication, text: string): Promise<unknown[]> {
  return (await sql.raw(text).execute(app.get(DatabaseService).db)).rows;
}

describe('migrations', () => {
  it('are applied once, oldest first', async () => {
    const migrations = {
      '20260102000000_add_pet.sql': "insert into pets (name) values ('Rex')",
      [CREATE_PETS]: 'create table pets (name text);\ncreate index pets_name_idx on pets (name);',
    };
    await withApp(migrations);
    await withApp(migrations, async (app) => {
      expect(await query(app, 'select * from pets')).toEqual([{ name: 'Rex' }]);
      expect(
        await query(app, 'select version, file, checksum, applied_at from schema_migrations'),
      ).toEqual(
        ['20260101000000_create_pets.sql', '20260102000000_add_pet.sql'].map((file) => ({
          version: file.slice(0, 14),
          file,
          checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
          applied_at: expect.any(Date) as Date,
        })),
      );
    });
  });

  it('may be older than the applied migrations, and newer than the migrations of the build', async () => {
    await withApp({ '20260103000000_create_visits.sql': 'create table visits ()' });
    await withApp({ [CREATE_PETS]: 'create table pets ()' }, async (app) => {
      expect(await query(app, 'select * from pets, visits')).toEqual([]);
      await request(app.getHttpServer()).get('/system/readyz').expect(200);
    });
  });

  it('must not change', async () => {
    await withApp({ [CREATE_PETS]: 'create table pets ()' });
    await expect(withApp({ [CREATE_PETS]: 'create table pets (name text)' })).rejects.toThrow(
      `migrations/${CREATE_PETS} has changed since it was applied. Restore it, and write the change as a new migration.`,
    );
  });

  it('leave nothing behind if a statement fails', async () => {
    const broken = 'create table pets ();\n-- \u{1f415}\ninsert into pets\n  select missing;\n';
    await expect(withApp({ [CREATE_PETS]: broken })).rejects.toThrow(
      `migrations/${CREATE_PETS}:4: column "missing" does not exist`,
    );
    await withApp({ [CREATE_PETS]: 'create table pets ()' }, async (app) => {
      expect(await query(app, 'select * from pets')).toEqual([]);
    });
  });

  it('apply those before a broken one', async () => {
    const migrations = {
      [CREATE_PETS]: 'create table pets ()',
      '20260102000000_break.sql': 'drop table missing',
    };
    await expect(withApp(migrations)).rejects.toThrow('20260102000000_break.sql');
    await withApp({}, async (app) => {
      expect(await query(app, 'select version from schema_migrations')).toEqual([
        { version: '20260101000000' },
      ]);
    });
  });

  it('cannot create an index concurrently', async () => {
    const migrations = {
      [CREATE_PETS]: 'create table pets (name text)',
      '20260102000000_index.sql': 'create index concurrently pets_name_idx on pets (name)',
    };
    await expect(withApp(migrations)).rejects.toThrow(
      'migrations/20260102000000_index.sql: CREATE INDEX CONCURRENTLY cannot run inside a transaction block. Each file is executed in a transaction. To index a large table, create the index with CONCURRENTLY by hand before the deployment, and write CREATE INDEX IF NOT EXISTS here.',
    );
  });

  it('must have valid names, even if they are not applied at start-up', async () => {
    await expect(
      withApp({ 'pets.sql': 'select 1' }, undefined, { DATABASE_MIGRATE: 'false' }),
    ).rejects.toThrow('migrations/pets.sql: expected a name such as');
  });
});

describe('readiness check migrations', () => {
  const readChecks = async (app: NestExpressApplication, status: number): Promise<unknown> => {
    const response = await request(app.getHttpServer()).get('/system/readyz').expect(status);
    return (response.body as { checks: object }).checks;
  };

  it('is down while migrations are pending', async () => {
    const migrations = { [CREATE_PETS]: 'create table pets ()' };
    const settings = { DATABASE_MIGRATE: 'false' };
    await withApp(
      migrations,
      async (app) => {
        expect(await readChecks(app, 503)).toMatchObject({ database: 'up', migrations: 'down' });
      },
      settings,
    );
    await withApp(migrations);
    await withApp(
      migrations,
      async (app) => {
        expect(await readChecks(app, 200)).toMatchObject({ database: 'up', migrations: 'up' });
        // Of a later version of the service, which this one does not have to stop for.
        await query(app, 'drop table schema_migrations');
        expect(await readChecks(app, 200)).toMatchObject({ migrations: 'up' });
      },
      settings,
    );
  });
});
