import { applyDecorators } from '@nestjs/common';
import { IsOptional, ValidateBy, ValidateIf } from 'class-validator';
import { DevelopmentSettings, isDevelopment } from '../settings/development.settings.js';
import { Flag, Secret, WholeNumber } from '../settings/setting.decorators.js';

/** Validates the URL of a PostgreSQL database, and keeps it out of error messages: it contains a password. */
function DatabaseUrl(hint = '') {
  return applyDecorators(
    Secret(),
    ValidateBy(
      { name: 'databaseUrl', validator: { validate: isDatabaseUrl } },
      { message: `expected a URL such as postgres://user:password@host:5432/database${hint}` },
    ),
  );
}

function isDatabaseUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, pathname } = new URL(value);
  return ['postgres:', 'postgresql:'].includes(protocol) && pathname.length > 1;
}

/** Settings of `DatabaseModule`. */
export class DatabaseSettings extends DevelopmentSettings {
  /**
   * The PostgreSQL database. Unset, and with `NODE_ENV` unset, `development` or `test`, the service runs an
   * embedded one with its data in `DATA_DIR`.
   */
  @ValidateIf((settings: DatabaseSettings) => !usesEmbeddedDatabase(settings))
  @DatabaseUrl(', unless NODE_ENV is development or test')
  DATABASE_URL?: string;

  /** Maximum number of connections of this process. */
  @WholeNumber(1, 1000)
  DATABASE_POOL_SIZE: number = 10;

  /** Time limit for connecting, for waiting for a connection, and for a query, in milliseconds each. */
  @WholeNumber(1, 600_000)
  DATABASE_TIMEOUT_MS: number = 5000;

  /** Whether migrations are applied at start-up. Unset: only to the embedded database. */
  @Flag()
  @IsOptional()
  DATABASE_MIGRATE?: boolean;

  /** The database for migrations, if it has another address, for example behind a pooler. Unset: `DATABASE_URL`. */
  @IsOptional()
  @DatabaseUrl()
  DATABASE_MIGRATE_URL?: string;
}

/** Returns whether the database is part of the process. */
export function usesEmbeddedDatabase(settings: DatabaseSettings): boolean {
  return settings.DATABASE_URL === undefined && isDevelopment(settings);
}
