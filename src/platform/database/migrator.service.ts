import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import pg from 'pg';
import { StartupError } from '../startup-error.js';
import { DatabaseUnavailableException, isRetryable } from './database-errors.js';
import type { DatabaseConnection } from './database-connection.js';
import { DatabasePool } from './database-pool.js';
import { DatabaseSettings } from './database.settings.js';
import { type Migration, MIGRATIONS_FOLDER, readMigrations } from './migration-files.js';

/** How long to wait while another process applies migrations. */
const LOCK_TIMEOUT_MS = 60_000;

/** How long a statement of a migration may wait for other transactions, which wait behind it meanwhile. */
const STATEMENT_LOCK_TIMEOUT_MS = 5000;

const RETRY_INTERVAL_MS = 1000;

/** SQLSTATEs of `CREATE TABLE IF NOT EXISTS` if another process creates the same table. */
const CREATED_MEANWHILE = ['23505', '42710', '42P07'];

/** SQLSTATE of a statement that cannot be part of a transaction, such as `CREATE INDEX CONCURRENTLY`. */
const NOT_IN_TRANSACTION = '25001';

const NOT_IN_TRANSACTION_HINT =
  'Each file is executed in a transaction. To index a large table, create the index with CONCURRENTLY by hand before the deployment, and write CREATE INDEX IF NOT EXISTS here.';

const CREATE_TABLES = [
  `create table if not exists schema_migrations (
    version text primary key,
    file text not null,
    checksum text not null,
    applied_at timestamptz(3) not null default now()
  )`,
  'create table if not exists schema_migrations_lock (id integer primary key)',
  'insert into schema_migrations_lock (id) values (1) on conflict do nothing',
];

export interface MigrationStatus {
  version: string;
  file: string;
  /** `changed`: the file is not the one that was applied. `unknown`: a file of another version of the service. */
  state: 'applied' | 'pending' | 'changed' | 'unknown';
  appliedAt: Date | undefined;
}

interface AppliedMigration {
  version: string;
  file: string;
  checksum: string;
  applied_at: Date;
}

/** Applies the SQL files of `src/migrations`. Several processes may do so at the same time. */
@Injectable()
export class MigratorService {
  private readonly logger = new Logger(MigratorService.name);
  private isStopped = false;
  private areApplied = false;

  constructor(
    private readonly settings: DatabaseSettings,
    private readonly pool: DatabasePool,
    @Inject(MIGRATIONS_FOLDER) private readonly folder: URL,
  ) {}

  /** Returns the state of each migration of this build, and of each migration that another build has applied. */
  async getStatus(): Promise<MigrationStatus[]> {
    const migrations = await readMigrations(this.folder);
    const connection = await this.pool.connect();
    try {
      return compare(migrations, await findApplied(connection));
    } finally {
      connection.release();
    }
  }

  /**
   * Verifies that all migrations of this build are applied. Once they are, it does not read the database again.
   *
   * @throws StartupError that names the migrations that are not, or one that has changed since it was applied
   * @throws DatabaseUnavailableException
   */
  async assertApplied(): Promise<void> {
    if (this.areApplied) return;
    const status = await this.getStatus();
    const changed = status.find(({ state }) => state === 'changed');
    if (changed) throw new StartupError(formatChanged(changed.file));
    const pending = status.filter(({ state }) => state === 'pending').map(({ file }) => file);
    if (pending.length > 0)
      throw new StartupError(`Migrations are not yet applied: ${pending.join(', ')}`);
    this.areApplied = true;
  }

  /**
   * Applies the pending migrations, each in a transaction.
   *
   * @returns the names of the files that this call has applied
   * @throws StartupError if one fails, or if a file has changed since it was applied
   * @throws DatabaseUnavailableException
   */
  async migrate(): Promise<string[]> {
    const migrations = await readMigrations(this.folder);
    const connection = await this.pool.connectForMigrations();
    const files: string[] = [];
    try {
      if (findPending(migrations, await findApplied(connection)).length === 0) return files;
      await createTables(connection);
      for (const migration of migrations) {
        if (await this.apply(migration, migrations, connection)) files.push(migration.file);
      }
      return files;
    } finally {
      connection.release();
    }
  }

  /** Applies migrations if the settings say so. While the database is not available, retries it in the background. */
  async migrateAtStartUp(): Promise<void> {
    // Invalid files are an error in any case.
    await readMigrations(this.folder);
    const { DATABASE_MIGRATE = this.pool.isEmbedded } = this.settings;
    if (!DATABASE_MIGRATE) return;
    try {
      await this.migrate();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableException)) throw error;
      this.logger.warn(
        { err: error.cause },
        'Migrations are applied when the database is available',
      );
      void this.retry();
    }
  }

  /** Stops retrying. */
  stop(): void {
    this.isStopped = true;
  }

  private async retry(): Promise<void> {
    for (;;) {
      await setTimeout(RETRY_INTERVAL_MS, undefined, { ref: false });
      if (this.isStopped) return;
      try {
        await this.migrate();
        return;
      } catch (error) {
        if (error instanceof DatabaseUnavailableException) continue;
        this.logger.fatal(error);
        return;
      }
    }
  }

  /** @returns whether this process has applied it */
  private async apply(
    migration: Migration,
    all: Migration[],
    connection: DatabaseConnection,
  ): Promise<boolean> {
    const { version, file, checksum } = migration;
    await connection.query('begin');
    try {
      await connection.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await lock(connection);
      const pending = findPending(all, await findApplied(connection));
      if (!pending.includes(migration)) {
        await connection.query('rollback');
        return false;
      }
      await connection.query(`set local lock_timeout = ${STATEMENT_LOCK_TIMEOUT_MS}`);
      await execute(migration, connection);
      await connection.query(
        'insert into schema_migrations (version, file, checksum) values ($1, $2, $3)',
        [version, file, checksum],
      );
      await connection.query('commit');
    } catch (error) {
      await connection.query('rollback').catch(() => undefined);
      throw error;
    }
    this.logger.log(`Applied migration ${file}`);
    return true;
  }
}

async function createTables(connection: DatabaseConnection): Promise<void> {
  for (const statement of CREATE_TABLES) {
    await connection.query(statement).catch((error: unknown) => {
      const { code = '' } = error as pg.DatabaseError;
      if (!CREATED_MEANWHILE.includes(code)) throw error;
    });
  }
}

/** Waits until no other process applies migrations. */
async function lock(connection: DatabaseConnection): Promise<void> {
  try {
    await connection.query('select id from schema_migrations_lock for update');
  } catch (error) {
    throw addSubject('Waiting for another process that applies migrations', error);
  }
}

/** Adds what was executed to the message of an error. */
function addSubject(subject: string, error: unknown): unknown {
  if (!(error instanceof DatabaseUnavailableException)) return error;
  const { message } = error.cause as Error;
  return new DatabaseUnavailableException(
    new Error(`${subject}: ${message}`, { cause: error.cause }),
  );
}

async function execute({ file, sql }: Migration, connection: DatabaseConnection): Promise<void> {
  try {
    await connection.query(sql);
  } catch (error) {
    const cause = isRetryable(error) ? new DatabaseUnavailableException(error) : error;
    if (!(cause instanceof pg.DatabaseError)) throw addSubject(`migrations/${file}`, cause);
    const { code, position, message } = cause;
    const hint = code === NOT_IN_TRANSACTION ? NOT_IN_TRANSACTION_HINT : cause.hint;
    // The position is in characters, from 1.
    const line = Array.from(sql).slice(0, Number(position)).join('').split('\n').length;
    const place = position === undefined ? file : `${file}:${line}`;
    throw new StartupError(
      `migrations/${place}: ${message}${hint === undefined ? '' : `. ${hint}`}`,
      { cause: error },
    );
  }
}

async function findApplied(connection: DatabaseConnection): Promise<AppliedMigration[]> {
  const { rows: tables } = await connection.query<{ name: string | null }>(
    "select to_regclass('schema_migrations') as name",
  );
  if (tables[0]?.name === null) return [];
  const { rows } = await connection.query<AppliedMigration>(
    'select version, file, checksum, applied_at from schema_migrations order by version',
  );
  return rows;
}

function compare(migrations: Migration[], applied: AppliedMigration[]): MigrationStatus[] {
  const known = migrations.map(({ version, file, checksum }): MigrationStatus => {
    const match = applied.find((other) => other.version === version);
    const state =
      match === undefined ? 'pending' : match.checksum === checksum ? 'applied' : 'changed';
    return { version, file, state, appliedAt: match?.applied_at };
  });
  const unknown = applied
    .filter(({ version }) => migrations.every((migration) => migration.version !== version))
    .map(({ version, file, applied_at: appliedAt }): MigrationStatus => {
      return { version, file, state: 'unknown', appliedAt };
    });
  return [...known, ...unknown].sort((a, b) => a.version.localeCompare(b.version));
}

/** @throws StartupError if a file has changed since it was applied */
function findPending(migrations: Migration[], applied: AppliedMigration[]): Migration[] {
  const status = compare(migrations, applied);
  const changed = status.find(({ state }) => state === 'changed');
  if (changed) throw new StartupError(formatChanged(changed.file));
  const pending = status.filter(({ state }) => state === 'pending').map(({ version }) => version);
  return migrations.filter(({ version }) => pending.includes(version));
}

/** Message about a file that has changed since it was applied. */
function formatChanged(file: string): string {
  return `migrations/${file} has changed since it was applied. Restore it, and write the change as a new migration.`;
}
