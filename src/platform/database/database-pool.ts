import { Injectable, Logger } from '@nestjs/common';
import pg from 'pg';
import { Gauge, Histogram, Registry } from 'prom-client';
import { columnTypes } from './column-types.js';
import { DatabaseConnection } from './database-connection.js';
import { DatabaseUnavailableException } from './database-errors.js';
import { DatabaseSettings, usesEmbeddedDatabase } from './database.settings.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { transactionContext } from './transaction-context.js';

/** Upper bounds in seconds. PostgreSQL on the same network responds to a read by id within about 1 ms. */
const DURATION_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/**
 * The connections to the database, for Kysely: several to a server, or one to the embedded database. Throws a 503 while
 * the database is not available.
 */
@Injectable()
export class DatabasePool {
  private readonly logger = new Logger(DatabasePool.name);
  private readonly embedded: EmbeddedDatabase | undefined;
  private readonly pool: pg.Pool;
  private readonly durations: Histogram<'operation'>;
  /** Kysely keeps weak references to connections: new ones for each query would cost much garbage collection. */
  private readonly connections = new WeakMap<pg.PoolClient, DatabaseConnection>();

  constructor(
    private readonly settings: DatabaseSettings,
    registry: Registry,
  ) {
    if (usesEmbeddedDatabase(settings)) this.embedded = new EmbeddedDatabase(settings.DATA_DIR);
    const pool = this.createPool();
    this.pool = pool;
    this.durations = new Histogram({
      name: 'petsage_database_query_duration_seconds',
      help: 'Duration of queries, without waiting for a connection.',
      labelNames: ['operation'],
      buckets: DURATION_BUCKETS,
      registers: [registry],
    });
    new Gauge({
      name: 'petsage_database_pool_connections',
      help: 'Connections to the database by state, and callers that wait for one.',
      labelNames: ['state'],
      registers: [registry],
      collect() {
        this.set({ state: 'active' }, pool.totalCount - pool.idleCount);
        this.set({ state: 'idle' }, pool.idleCount);
        this.set({ state: 'waiting' }, pool.waitingCount);
      },
    });
  }

  get isEmbedded(): boolean {
    return this.embedded !== undefined;
  }

  /** Opens the embedded database. Connections to a server are opened when they are needed. */
  async open(): Promise<void> {
    await this.embedded?.open();
  }

  /** @throws DatabaseUnavailableException if there is no connection within the time limit */
  async connect(): Promise<DatabaseConnection> {
    if (this.isEmbedded && transactionContext.getStore()?.isOpen === true) {
      throw new Error(
        'This query is not part of the transaction that its caller has opened. Use tx, the argument of the function that is passed to transaction(): the embedded database has a single connection.',
      );
    }
    try {
      const client = await this.pool.connect();
      return this.connections.get(client) ?? this.createConnection(client);
    } catch (error) {
      throw new DatabaseUnavailableException(error);
    }
  }

  /**
   * Opens a connection for migrations: to `DATABASE_MIGRATE_URL`, and without the time limit of queries.
   *
   * @throws DatabaseUnavailableException
   */
  async connectForMigrations(): Promise<DatabaseConnection> {
    // Its queries block the process, and therefore have no time limit.
    if (this.isEmbedded) return this.connect();
    const {
      DATABASE_URL,
      DATABASE_MIGRATE_URL = DATABASE_URL,
      DATABASE_TIMEOUT_MS,
    } = this.settings;
    try {
      const client = new pg.Client({
        connectionString: DATABASE_MIGRATE_URL,
        connectionTimeoutMillis: DATABASE_TIMEOUT_MS,
        application_name: 'petsage-api migrate',
        // A firewall may drop a connection on which a long statement is silent.
        keepAlive: true,
      });
      client.on('error', ignore);
      await client.connect();
      return new DatabaseConnection(client, this.durations, undefined, () => void client.end());
    } catch (error) {
      throw new DatabaseUnavailableException(error);
    }
  }

  async end(): Promise<void> {
    await this.pool.end();
    await this.embedded?.close();
  }

  private createPool(): pg.Pool {
    const { embedded } = this;
    const { DATABASE_URL, DATABASE_POOL_SIZE, DATABASE_TIMEOUT_MS } = this.settings;
    const address: pg.PoolConfig = embedded
      ? {
          ...{ stream: () => embedded.createConnection(), max: 1, idleTimeoutMillis: 0 },
          // Otherwise pg reads them from the environment.
          ...{ user: 'postgres', database: 'postgres', ssl: false },
        }
      : { connectionString: DATABASE_URL, max: DATABASE_POOL_SIZE };
    const pool = new pg.Pool({
      ...address,
      connectionTimeoutMillis: DATABASE_TIMEOUT_MS,
      application_name: 'petsage-api',
      types: columnTypes,
    });
    // A connection that is lost while it executes no query. The next query is rejected.
    pool.on('connect', (client) => client.on('error', ignore));
    pool.on('error', ({ message }) => {
      this.logger.warn({ reason: message }, 'An idle connection to the database was closed');
    });
    return pool;
  }

  private createConnection(client: pg.PoolClient): DatabaseConnection {
    const { DATABASE_TIMEOUT_MS } = this.settings;
    const connection = new DatabaseConnection(
      client,
      this.durations,
      DATABASE_TIMEOUT_MS,
      (isLost) => {
        client.release(isLost);
      },
    );
    this.connections.set(client, connection);
    return connection;
  }
}

function ignore(): void {
  // The query reports the same error.
}
