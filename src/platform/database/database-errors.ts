import { ServiceUnavailableException } from '@nestjs/common';
import pg from 'pg';

/**
 * SQLSTATE classes and codes of errors that are not the fault of the statement: connection, resources, shutdown of the
 * server, and its time limits. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const UNAVAILABLE = /^(08|53|57P|28|3D000|57014|55P03|25006)/;

/** SQLSTATEs of a transaction that succeeds if it is repeated: serialization failure and deadlock. */
const REPEATABLE = ['40001', '40P01'];

/**
 * The database cannot execute a statement at the moment: a 503. The cause is the error of the driver.
 *
 * It has the header `Retry-After`, unless it is unknown whether the statement has taken effect.
 */
export class DatabaseUnavailableException extends ServiceUnavailableException {
  readonly headers: Record<string, string>;

  constructor(cause: unknown, isOutcomeUnknown = false) {
    super(undefined, { cause });
    this.headers = isOutcomeUnknown ? {} : { 'Retry-After': '1' };
  }
}

/** Returns whether the database could not execute a statement, in contrast to an error in the statement. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return UNAVAILABLE.test(error.code ?? '');
  // A parameter or a value that cannot be converted.
  return !(error instanceof TypeError || error instanceof RangeError);
}

/** Returns whether a transaction may succeed if it is repeated. */
export function isRepeatable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && REPEATABLE.includes(error.code ?? '');
}
