import { Injectable } from '@nestjs/common';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { Gauge, Histogram, Registry } from 'prom-client';
import type { Connection, ConnectionPool, QueryResult } from './connection-pool.js';
import { DatabaseUnavailableException, isUnavailable } from './database-errors.js';
import { DatabaseSettings, usesEmbeddedDatabase } from './database.settings.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { openTransaction } from './open-transaction.js';
import { ServerPool } from './server-pool.js';

/** Upper bounds in seconds. PostgreSQL on the same network responds to a read by id within about 1 ms. */
const DURATION_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** Operations with their own label value. */
const OPERATIONS = ['select', 'insert', 'update', 'delete'];

/** Statements that change nothing if the connection is lost meanwhile. */
const HARMLESS = /^\s*(select|begin|start|rollback|savepoint|release|set)\b/i;

/** The connections to the database, for Kysely. Measures queries, and throws a 503 while the database is not available. */
@Injectable()
export class DatabasePool implements PostgresPool {
  private readonly embedded: EmbeddedDatabase | undefined;
  private readonly pool: ConnectionPool;
  private readonly durations: Histogram<'operation'>;

  constructor(settings: DatabaseSettings, registry: Registry) {
    this.embedded = usesEmbeddedDatabase(settings)
      ? new EmbeddedDatabase(settings.DATA_DIR, settings.DATABASE_TIMEOUT_MS)
      : undefined;
    const pool = this.embedded ?? new ServerPool(settings);
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
        for (const [state, count] of Object.entries(pool.counts)) this.set({ state }, count);
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
  async connect(): Promise<PostgresPoolClient & Connection> {
    if (this.isEmbedded && openTransaction.getStore()?.isOpen === true) {
      throw new Error(
        'This query is not part of the transaction that its caller has opened. Use tx, the argument of the function that is passed to transaction(): the embedded database has a single connection.',
      );
    }
    try {
      return this.wrap(await this.pool.connect());
    } catch (error) {
      throw new DatabaseUnavailableException(error);
    }
  }

  async end(): Promise<void> {
    await this.pool.end();
  }

  private wrap(connection: Connection): PostgresPoolClient & Connection {
    let isInTransaction = false;
    let isBroken = false;
    const query = async (text: string, parameters?: unknown[]): Promise<QueryResult> => {
      const operation = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
      const stop = this.durations.startTimer({
        operation: OPERATIONS.includes(operation) ? operation : 'other',
      });
      try {
        const result = await connection.query(text, parameters);
        if (operation === 'begin' || operation === 'start') isInTransaction = true;
        if (operation === 'commit' || operation === 'rollback') isInTransaction = false;
        return result;
      } catch (error) {
        if (!isUnavailable(error)) throw hideValues(error);
        isBroken = true;
        const isOutcomeUnknown = isInTransaction ? operation === 'commit' : !HARMLESS.test(text);
        throw new DatabaseUnavailableException(error, isOutcomeUnknown);
      } finally {
        stop();
      }
    };
    return {
      query: query as PostgresPoolClient['query'] & Connection['query'],
      release: () => {
        connection.release(isBroken);
      },
    };
  }
}

/** Keeps values of columns, which the detail contains, out of the log. */
function hideValues(error: unknown): unknown {
  return error instanceof pg.DatabaseError
    ? Object.defineProperty(error, 'detail', { enumerable: false })
    : error;
}
