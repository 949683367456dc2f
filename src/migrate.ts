import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { Registry } from 'prom-client';
import { runCommand } from './platform/command.js';
import { formatCommandError } from './platform/database/database-errors.js';
import { DatabasePool } from './platform/database/database-pool.js';
import { DatabaseSettings } from './platform/database/database.settings.js';
import { type MigrationStatus, MigratorService } from './platform/database/migrator.service.js';
import { loadSettings } from './platform/settings/load-settings.js';

const USAGE = `Usage: npm run migrate [-- --status]

Applies the migrations that are not yet applied. With --status, lists all of them and changes nothing.
It uses the settings of the service: DATABASE_URL, DATABASE_MIGRATE_URL. See docs/database.md.
`;

await runCommand(
  USAGE,
  { options: { status: { type: 'boolean' } } },
  ({ values }) => migrate(values.status),
  formatCommandError,
);

async function migrate(onlyStatus = false): Promise<void> {
  Logger.overrideLogger(['warn', 'error', 'fatal']);
  const { featureSettings } = loadSettings([DatabaseSettings]);
  const settings = featureSettings.get(DatabaseSettings) as DatabaseSettings;
  const pool = new DatabasePool(settings, new Registry());
  const folder = new URL('./migrations/', import.meta.url);
  const migrator = new MigratorService(settings, pool, folder);
  await pool.open();
  try {
    const lines = onlyStatus
      ? (await migrator.getStatus()).map(formatStatus)
      : (await migrator.migrate()).map((file) => `applied  ${file}`);
    process.stdout.write(`${lines.join('\n') || 'Nothing to apply.'}\n`);
  } finally {
    await pool.end();
  }
}

function formatStatus({ file, state, appliedAt }: MigrationStatus): string {
  return [state.padEnd(8), file, appliedAt?.toISOString()].join(' ').trimEnd();
}
