import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PGlite, Results } from '@electric-sql/pglite';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { StartupError } from '../startup-error.js';
import { COLUMN_PARSERS } from './column-parsers.js';
import type { Connection, ConnectionPool } from './connection-pool.js';

/** The folders that this process uses. A lock file with its id may be that of an earlier process. */
const openFolders = new Set<string>();

/**
 * PostgreSQL in this process, for development: its data is in a folder that one process can use at a time. It has a
 * single connection, which callers get one after the other. Changes survive the end of the process, but not that of the
 * machine, because they are not synchronized to the disk.
 */
export class EmbeddedDatabase implements ConnectionPool {
  private readonly logger = new Logger(EmbeddedDatabase.name);
  private readonly folder: string;
  private readonly lockFile: string;
  private database: PGlite | undefined;
  /** Callers that wait for the connection. */
  private readonly waiting: ((connection: Connection) => void)[] = [];
  private isConnected = false;

  constructor(
    dataDirectory: string,
    private readonly timeoutMs: number,
  ) {
    this.folder = resolve(dataDirectory, 'postgres');
    this.lockFile = `${this.folder}.pid`;
  }

  get counts() {
    const active = Number(this.isConnected);
    return { active, idle: 1 - active, waiting: this.waiting.length };
  }

  /** @throws StartupError if another process uses the folder, or another version has created it */
  async open(): Promise<void> {
    const { PGlite } = await import('@electric-sql/pglite').catch((error: unknown) => {
      throw new StartupError(
        'DATABASE_URL is not set, and the embedded database is not installed. Set DATABASE_URL, or run npm install without --omit=dev.',
        { cause: error },
      );
    });
    await mkdir(join(this.folder, '..'), { recursive: true });
    await this.lock();
    const version = await readFile(join(this.folder, 'PG_VERSION'), 'utf8').catch(() => undefined);
    try {
      if (version === undefined) await create(PGlite, this.folder);
      this.database = await PGlite.create({ dataDir: this.folder, parsers: COLUMN_PARSERS });
    } catch (error) {
      await this.unlock();
      throw new StartupError(
        `The embedded database cannot open ${this.folder}${version === undefined ? '' : `, which PostgreSQL ${version.trim()} has created`}. If a newer version of @electric-sql/pglite cannot read it, delete its data with: npm run database -- --reset`,
        { cause: error },
      );
    }
    this.logger.log(
      `Embedded PostgreSQL for development, its data is in ${this.folder}. Set DATABASE_URL to use a server.`,
    );
  }

  async connect(): Promise<Connection> {
    if (!this.isConnected) return this.createConnection();
    return new Promise((resolveConnection, reject) => {
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(receive), 1);
        reject(new Error(`The connection was not free within ${this.timeoutMs} ms`));
      }, this.timeoutMs);
      const receive = (connection: Connection) => {
        clearTimeout(timer);
        resolveConnection(connection);
      };
      this.waiting.push(receive);
    });
  }

  async end(): Promise<void> {
    if (this.database === undefined) return;
    await this.database.close();
    this.database = undefined;
    await this.unlock();
  }

  private createConnection(): Connection {
    this.isConnected = true;
    return {
      query: async (text, parameters) => this.query(text, parameters),
      release: () => {
        this.isConnected = false;
        this.waiting.shift()?.(this.createConnection());
      },
    };
  }

  private async query(text: string, parameters?: unknown[]): Promise<Results> {
    if (this.database === undefined) throw new Error('The embedded database is closed');
    try {
      if (parameters) return await this.database.query(text, parameters);
      // Several statements.
      const results = await this.database.exec(text);
      return results.at(-1) ?? { rows: [], fields: [] };
    } catch (error) {
      throw toDatabaseError(error);
    }
  }

  /** @throws StartupError if another process has the lock */
  private async lock(): Promise<void> {
    const pid = String(process.pid);
    try {
      await writeFile(this.lockFile, pid, { flag: 'wx' });
    } catch {
      const owner = await readFile(this.lockFile, 'utf8');
      const isUsed = owner === pid ? openFolders.has(this.folder) : isRunning(Number(owner));
      if (isUsed) {
        throw new StartupError(
          `The process ${owner} uses the embedded database in ${this.folder}. Stop it, set DATA_DIR to another folder, or set DATABASE_URL to use a server. If ${owner} is another program, delete ${this.lockFile}.`,
        );
      }
      await rm(this.lockFile, { force: true });
      await this.lock();
    }
    openFolders.add(this.folder);
  }

  private async unlock(): Promise<void> {
    openFolders.delete(this.folder);
    await rm(this.lockFile, { force: true });
  }
}

/** Creates the files of a database. If the process ends meanwhile, the folder does not exist. */
async function create(type: typeof PGlite, folder: string): Promise<void> {
  const temporary = `${folder}.new`;
  await rm(temporary, { recursive: true, force: true });
  const database = await type.create({ dataDir: temporary });
  await database.close();
  await rename(temporary, folder);
}

/** Converts an error of PGlite, which contains the parameters of the query, to one of `pg`. */
function toDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const { message, name, stack, ...fields } = error as pg.DatabaseError;
  const { length, severity, code, detail, hint, schema, table, column, constraint } = fields;
  return Object.assign(new pg.DatabaseError(message, length, name), {
    ...{ stack, severity, code, detail, hint, schema, table, column, constraint },
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
