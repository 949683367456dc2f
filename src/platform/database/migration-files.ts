import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { StartupError } from '../startup-error.js';

/** Token of the folder with the migrations, a URL. */
export const MIGRATIONS_FOLDER = Symbol('MIGRATIONS_FOLDER');

const FILE_NAME = /^(?<version>\d{14})_(?<name>[a-z0-9_]+)\.sql$/;

/** Comments, names and texts, in which a semicolon or a keyword has no meaning. */
const QUOTED = /--.*|\/\*[^]*?\*\/|'[^']*'|"[^"]*"|\$(\w*)\$[^]*?\$\1\$/g;

/** A statement that would end the transaction in which a file is executed. */
const TRANSACTION_STATEMENT =
  /(^|;)\s*(begin|start\s+transaction|commit|end|rollback(?!\s+((work|transaction)\s+)?to\b)|abort|prepare\s+transaction)\b/i;

/** The body of a function, which `END` ends. */
const FUNCTION_BODY = /\bbegin\s+atomic\b[^]*?;\s*end\b/gi;

/** An SQL file that changes the schema. */
export interface Migration {
  /** UTC time at which it was written, as `yyyymmddhhmmss`. */
  version: string;
  file: string;
  sql: string;
  /** SHA-256 of the SQL, in hexadecimal digits. */
  checksum: string;
}

/**
 * Reads the migrations of a folder, oldest first.
 *
 * @throws StartupError that names the file, if one is invalid
 */
export async function readMigrations(folder: URL): Promise<Migration[]> {
  const files = (await readdir(folder).catch(ignoreMissing))
    .filter((file) => file.endsWith('.sql'))
    .sort();
  const migrations = await Promise.all(files.map((file) => readMigration(folder, file)));
  for (const [index, { version, file }] of migrations.entries()) {
    const previous = migrations[index - 1];
    if (previous?.version === version) {
      throw new StartupError(
        `The migrations ${previous.file} and ${file} have the same version. Rename the newer one.`,
      );
    }
  }
  return migrations;
}

async function readMigration(folder: URL, file: string): Promise<Migration> {
  const { version } = FILE_NAME.exec(file)?.groups ?? {};
  if (version === undefined) {
    throw new StartupError(
      `migrations/${file}: expected a name such as 20270131093000_create_pets.sql, with the time in UTC`,
    );
  }
  // Git may have changed the line ends.
  const sql = (await readFile(new URL(file, folder), 'utf8')).replaceAll('\r\n', '\n');
  if (TRANSACTION_STATEMENT.test(sql.replace(QUOTED, ' ').replace(FUNCTION_BODY, ' '))) {
    throw new StartupError(
      `migrations/${file}: each file is executed in a transaction. Remove BEGIN, COMMIT and ROLLBACK.`,
    );
  }
  const checksum = createHash('sha256').update(sql).digest('hex');
  return { version, file, sql, checksum };
}

function ignoreMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
