import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { Logger } from '@nestjs/common';
import { StartupError } from '../startup-error.js';
import { EmbeddedConnection } from './embedded-connection.js';

/** The folders that this process uses. A lock file with its id may belong to an earlier process. */
const openFolders = new Set<string>();

/**
 * PostgreSQL in this process, for development: its data is in a folder that one process can use at a time. It has a
 * single session. Changes survive the end of the process, but not a crash of the machine, because they are not
 * synchronized to the disk.
 */
export class EmbeddedDatabase {
  private readonly logger = new Logger(EmbeddedDatabase.name);
  private readonly folder: string;
  private database: PGlite | undefined;

  constructor(dataDirectory: string) {
    this.folder = resolve(dataDirectory, 'postgres');
  }

  /** @throws StartupError if another process uses the folder, or another version of PostgreSQL has created it */
  async open(): Promise<void> {
    const type = await importPglite();
    await this.lock();
    const version = await readFile(join(this.folder, 'PG_VERSION'), 'utf8').catch(() => undefined);
    try {
      if (version === undefined) await createEmbeddedDatabase(this.folder);
      this.database = await type.create({ dataDir: this.folder });
    } catch (error) {
      await this.unlock();
      if (version === undefined) throw error;
      throw new StartupError(
        `The embedded database cannot open ${this.folder}, which PostgreSQL ${version.trim()} has created. If @electric-sql/pglite now has another major version of PostgreSQL, install its previous version, or delete the data with: npm run database -- --reset`,
        { cause: error },
      );
    }
    this.logger.log(
      `Embedded PostgreSQL for development, its data is in ${this.folder}. Set DATABASE_URL to use a server.`,
    );
  }

  /** Creates the socket of a `pg` client. One client may exist at a time. */
  createConnection(): EmbeddedConnection {
    if (this.database === undefined) throw new Error('The embedded database is not open');
    return new EmbeddedConnection(this.database);
  }

  async close(): Promise<void> {
    if (this.database === undefined) return;
    await this.database.close();
    this.database = undefined;
    await this.unlock();
  }

  /**
   * Deletes all data.
   *
   * @returns the folder of the data
   * @throws StartupError if another process uses it
   */
  async reset(): Promise<string> {
    await this.lock();
    await rm(this.folder, { recursive: true, force: true });
    await this.unlock();
    return this.folder;
  }

  /** @throws StartupError if another process has the lock, or this one */
  private async lock(): Promise<void> {
    if (openFolders.has(this.folder)) throw this.createLockError(process.pid);
    openFolders.add(this.folder);
    await mkdir(dirname(this.folder), { recursive: true });
    // Each process creates a file of its own before it looks for others: of two, at least one sees the other.
    await writeFile(this.getLockFile(process.pid), '');
    for (const pid of await this.findLocks()) {
      if (isRunning(pid)) {
        await this.unlock();
        throw this.createLockError(pid);
      }
      await rm(this.getLockFile(pid), { force: true });
    }
  }

  private async unlock(): Promise<void> {
    openFolders.delete(this.folder);
    await rm(this.getLockFile(process.pid), { force: true });
  }

  /** Returns the ids of the other processes that have locked the folder. They may have been killed. */
  private async findLocks(): Promise<number[]> {
    const files = await readdir(dirname(this.folder));
    const pids = files.map((file) => Number(/^postgres\.(\d+)\.lock$/.exec(file)?.[1]));
    return pids.filter((pid) => pid > 0 && pid !== process.pid);
  }

  private createLockError(pid: number): StartupError {
    return new StartupError(
      `The process ${pid} uses the embedded database in ${this.folder}. Stop it, set DATA_DIR to another folder, or set DATABASE_URL to use a server. If ${pid} is another program, delete ${this.getLockFile(pid)}.`,
    );
  }

  private getLockFile(pid: number): string {
    return `${this.folder}.${pid}.lock`;
  }
}

/** Creates the files of a database, unless another process does. They are complete as soon as the folder exists. */
export async function createEmbeddedDatabase(folder: string): Promise<void> {
  const type = await importPglite();
  const temporary = `${folder}.${process.pid}.new`;
  await removeUnfinished(folder);
  const database = await type.create({ dataDir: temporary });
  await database.close();
  await rename(temporary, folder).catch(async (error: unknown) => {
    await rm(temporary, { recursive: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  });
}

/** Deletes what processes that have been killed have left. */
async function removeUnfinished(folder: string): Promise<void> {
  const pattern = new RegExp(`^${basename(folder)}\\.(\\d+)\\.new$`);
  for (const file of await readdir(dirname(folder))) {
    const pid = Number(pattern.exec(file)?.[1]);
    if (pid === process.pid || (pid > 0 && !isRunning(pid))) {
      await rm(join(dirname(folder), file), { recursive: true, force: true });
    }
  }
}

async function importPglite(): Promise<typeof PGlite> {
  const module = await import('@electric-sql/pglite').catch((error: unknown) => {
    throw new StartupError(
      'DATABASE_URL is not set, and the embedded database is not installed. Set DATABASE_URL, or run npm install without --omit=dev.',
      { cause: error },
    );
  });
  return module.PGlite;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
