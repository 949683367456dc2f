// npm run database -- "select …": runs SQL on the database of the service, and prints the rows.
import 'reflect-metadata';
import pg from 'pg';

const USAGE = `Usage: npm run database -- "SQL"
       npm run database -- --reset

Runs SQL on the database of the service, and prints the rows. It uses the settings of the service.
The embedded database can be used by one process at a time: stop the service first.
--reset deletes all data of the embedded database.
`;

const { Logger } = await import('@nestjs/common');
const { runCommand, UsageError } = await import('../dist/platform/command.js');
const { DatabaseUnavailableException } =
  await import('../dist/platform/database/database-errors.js');
const { DatabaseSettings, usesEmbeddedDatabase } =
  await import('../dist/platform/database/database.settings.js');
const { loadSettings } = await import('../dist/platform/settings/load-settings.js');
const { formatStartupError, StartupError } = await import('../dist/platform/startup-error.js');

Logger.overrideLogger(['warn', 'error', 'fatal']);
await runCommand(
  USAGE,
  { allowPositionals: true, options: { reset: { type: 'boolean' } } },
  ({ values, positionals }) => {
    if (values.reset && positionals.length === 0) return reset();
    if (!values.reset && positionals.length === 1) return runSql(positionals[0]);
    throw new UsageError('Expected SQL in quotes, or --reset');
  },
  formatError,
);

/** @returns {import('../src/platform/database/database.settings.js').DatabaseSettings} */
function readSettings() {
  return loadSettings([DatabaseSettings]).featureSettings.get(DatabaseSettings);
}

async function reset() {
  const settings = readSettings();
  if (!usesEmbeddedDatabase(settings)) {
    throw new StartupError('DATABASE_URL is set. --reset deletes embedded databases only.');
  }
  const { EmbeddedDatabase } = await import('../dist/platform/database/embedded-database.js');
  console.log(`Deleted ${await new EmbeddedDatabase(settings.DATA_DIR).reset()}`);
}

/** @param {string} sql */
async function runSql(sql) {
  const { Registry } = await import('prom-client');
  const { DatabasePool } = await import('../dist/platform/database/database-pool.js');
  const pool = new DatabasePool(readSettings(), new Registry());
  await pool.open();
  try {
    const connection = await pool.connect();
    try {
      // Of several statements, there is one result each.
      for (const result of [await connection.query(sql)].flat()) printResult(result);
    } finally {
      connection.release();
    }
  } finally {
    await pool.end();
  }
}

/** @param {{ command: string, rowCount: number | null, rows: Record<string, unknown>[] }} result */
function printResult({ command, rowCount, rows }) {
  if (rows.length > 0) console.table(rows.map(formatRow));
  console.log(`${command}${rowCount === null ? '' : ` ${rowCount}`}`);
}

/** @param {Record<string, unknown>} row */
function formatRow(row) {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, formatValue(value)]));
}

/** @param {unknown} value */
function formatValue(value) {
  if (value instanceof Date) return value.toISOString();
  return value !== null && typeof value === 'object' ? JSON.stringify(value) : value;
}

/** @param {unknown} error */
function formatError(error) {
  if (error instanceof DatabaseUnavailableException) return String(error);
  return error instanceof pg.DatabaseError ? error.message : formatStartupError(error);
}
