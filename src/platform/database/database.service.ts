import { setTimeout } from 'node:timers/promises';
import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  type IsolationLevel,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type Transaction,
} from 'kysely';
import { DatabaseUnavailableException, isRetryable } from './database-errors.js';
import { DatabasePool } from './database-pool.js';
import { MigratorService } from './migrator.service.js';
import { transactionContext } from './transaction-context.js';

const MAX_RETRIES = 5;

/** The longest time before a transaction is retried for the first time, in milliseconds. It doubles each time. */
const RETRY_DELAY_MS = 20;

/**
 * Queries the database.
 *
 * @typeParam Tables the tables that the caller uses, as Kysely describes them
 *
 * @example
 * ```ts
 * @Injectable()
 * export class PetsRepository {
 *   constructor(private readonly database: DatabaseService<PetsTables>) {}
 *
 *   async findNames(): Promise<string[]> {
 *     const rows = await this.database.db.selectFrom('pets').select('name').execute();
 *     return rows.map(({ name }) => name);
 *   }
 * }
 * ```
 */
@Injectable()
export class DatabaseService<Tables = unknown> implements OnModuleInit, OnApplicationShutdown {
  readonly db: Kysely<Tables>;

  constructor(
    private readonly pool: DatabasePool,
    private readonly migrator: MigratorService,
  ) {
    // Its connections have no cursors, which Kysely uses for streams only.
    this.db = new Kysely({
      dialect: new PostgresDialect({ pool: pool as unknown as PostgresPool }),
    });
  }

  async onModuleInit(): Promise<void> {
    await this.pool.open();
    await this.migrator.migrateAtStartUp();
  }

  /**
   * Runs a function in a transaction: it is committed if the function returns, and rolled back if it throws. A
   * transaction that conflicts with another one is rolled back and the function is called again, up to five times:
   * it must have no other effects.
   *
   * @param run must pass all queries to its argument
   * @throws DatabaseUnavailableException if the transaction conflicts each time
   */
  async transaction<Result>(
    run: (tx: Transaction<Tables>) => Promise<Result>,
    isolationLevel: IsolationLevel = 'read committed',
  ): Promise<Result> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await this.runOnce(run, isolationLevel);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        if (retries === MAX_RETRIES) throw new DatabaseUnavailableException(error);
      }
      await setTimeout(Math.random() * RETRY_DELAY_MS * 2 ** retries);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    this.migrator.stop();
    await this.pool.end();
  }

  private runOnce<Result>(
    run: (tx: Transaction<Tables>) => Promise<Result>,
    isolationLevel: IsolationLevel,
  ): Promise<Result> {
    return this.db
      .transaction()
      .setIsolationLevel(isolationLevel)
      .execute((tx) => {
        const state = { isOpen: true };
        return transactionContext.run(state, async () => {
          try {
            return await run(tx);
          } finally {
            // Work that the function has started and not awaited may query the database later.
            state.isOpen = false;
          }
        });
      });
  }
}
