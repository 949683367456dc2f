import { Logger } from '@nestjs/common';
import pg from 'pg';
import { COLUMN_PARSERS } from './column-parsers.js';
import type { ConnectionPool } from './connection-pool.js';
import type { DatabaseSettings } from './database.settings.js';

/** Connections to a PostgreSQL server. */
export class ServerPool extends pg.Pool implements ConnectionPool {
  constructor(settings: DatabaseSettings) {
    const { DATABASE_URL, DATABASE_POOL_SIZE, DATABASE_TIMEOUT_MS } = settings;
    const types = new pg.TypeOverrides();
    for (const [type, parse] of Object.entries(COLUMN_PARSERS)) {
      types.setTypeParser<unknown>(Number(type), parse);
    }
    super({
      connectionString: DATABASE_URL,
      max: DATABASE_POOL_SIZE,
      connectionTimeoutMillis: DATABASE_TIMEOUT_MS,
      query_timeout: DATABASE_TIMEOUT_MS,
      application_name: 'petsage-api',
      types,
    });
    const logger = new Logger(ServerPool.name);
    // The server has closed an idle connection. The pool opens another one when it is needed.
    this.on('error', ({ message }) => {
      logger.warn({ reason: message }, 'An idle connection to the database was closed');
    });
  }

  get counts() {
    const { totalCount, idleCount, waitingCount } = this;
    return { active: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  }
}
