import type { PostgresQueryResult } from 'kysely';
import pg from 'pg';
import type { Histogram } from 'prom-client';
import {
  DatabaseUnavailableException,
  isConnectionLost,
  isRetryable,
  isUnavailable,
  mayHaveTakenEffect,
} from './database-errors.js';

/** Operations with their own label value. */
const OPERATIONS = ['select', 'insert', 'update', 'delete'];

/** Statements that change no data. */
const STATEMENT_WITHOUT_CHANGES = /^\s*(select|begin|start|rollback|savepoint|release|set)\b/i;

/** Statements that end a transaction, in contrast to `rollback to savepoint`. */
const END_OF_TRANSACTION = /^\s*(commit|rollback)\b(?!\s+to\b)/i;

/** A connection to the database, which measures its queries, and throws a 503 if the database is not available. */
export class DatabaseConnection {
  private isInTransaction = false;
  private lost: DatabaseUnavailableException | undefined;

  /**
   * @param timeoutMs the time limit of a query, after which the connection is lost; without it, there is none
   * @param closeOrReturn closes a connection that is lost, and otherwise may return it to the pool
   */
  constructor(
    private readonly client: pg.ClientBase,
    private readonly durations: Histogram<'operation'>,
    private readonly timeoutMs: number | undefined,
    private readonly closeOrReturn: (isLost: boolean) => void,
  ) {}

  /** @param parameters if they are undefined, the text may contain several statements */
  async query<Row>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<PostgresQueryResult<Row>> {
    // Kysely rolls back after a lost COMMIT. The error of that would replace the first one.
    if (this.lost) throw this.lost;
    const operation = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
    const stop = this.durations.startTimer({
      operation: OPERATIONS.includes(operation) ? operation : 'other',
    });
    try {
      const result = await this.execute<Row>(text, parameters);
      if (operation === 'begin' || operation === 'start') this.isInTransaction = true;
      if (END_OF_TRANSACTION.test(text)) this.isInTransaction = false;
      return result;
    } catch (error) {
      throw this.convert(error, operation, text);
    } finally {
      stop();
    }
  }

  release(): void {
    this.closeOrReturn(this.lost !== undefined);
  }

  /**
   * Uses neither the promises of pg nor its `query_timeout`, which replace the callback of a query: V8 then keeps the
   * results of all queries until the next major garbage collection, and minor ones take 20 times as long.
   */
  private execute<Row>(
    text: string,
    parameters: readonly unknown[] | undefined,
  ): Promise<PostgresQueryResult<Row>> {
    return new Promise((resolve, reject) => {
      const timer =
        this.timeoutMs &&
        setTimeout(() => {
          reject(new Error('Query read timeout'));
        }, this.timeoutMs);
      // The type of pg has no undefined parameters.
      this.client.query(text, parameters as unknown[], (error: Error | null, result) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(result as unknown as PostgresQueryResult<Row>);
      });
    });
  }

  private convert(error: unknown, operation: string, text: string): unknown {
    // The server has rolled the statement back. A transaction is retried as a whole.
    if (!this.isInTransaction && isRetryable(error)) return new DatabaseUnavailableException(error);
    if (!isUnavailable(error)) return hideValues(error);
    const hasChanges = this.isInTransaction
      ? operation === 'commit'
      : !STATEMENT_WITHOUT_CHANGES.test(text);
    const exception = new DatabaseUnavailableException(
      error,
      hasChanges && mayHaveTakenEffect(error),
    );
    if (isConnectionLost(error)) this.lost = exception;
    return exception;
  }
}

/** Keeps values of columns, which the detail contains, out of the log. */
function hideValues(error: unknown): unknown {
  return error instanceof pg.DatabaseError
    ? Object.defineProperty(error, 'detail', { enumerable: false })
    : error;
}
