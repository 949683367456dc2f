import { ServiceUnavailableException } from '@nestjs/common';
import pg from 'pg';
import { formatStartupError, StartupError } from '../startup-error.js';

/**
 * SQLSTATE classes and codes of errors that are not the fault of the statement: lost connection, shutdown of the server,
 * resources, and its time limits. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const UNAVAILABLE = /^(08|25(006|P03|P04)|53|55P03|57)/;

/**
 * Errors after which the connection is of no use: it is lost, the server has become a read-only standby, or it has ended a
 * transaction that took too long.
 */
const LOST = /^(08|25(006|P03|P04)|57P)/;

/** Errors after which it is unknown whether a statement has taken effect. */
const UNKNOWN_OUTCOME = /^(08|57P)/;

/** SQLSTATEs of a transaction that may succeed if it is retried: serialization failure and deadlock. */
const RETRYABLE = ['40001', '40P01'];

/**
 * The database cannot execute a statement at the moment: a 503. The cause is the error of the driver.
 *
 * It has the header `Retry-After`, unless it is unknown whether the statement has taken effect.
 */
export class DatabaseUnavailableException extends ServiceUnavailableException {
  /** As an error of `http-errors`, whose headers the error filter sends. */
  readonly expose = false;
  readonly headers: Record<string, string>;

  constructor(cause: unknown, isOutcomeUnknown = false) {
    super(undefined, { cause });
    // In the log, where the message of the cause follows. The response has the status text.
    this.message = 'The database is not available';
    this.headers = isOutcomeUnknown ? {} : { 'Retry-After': '1' };
  }

  /** The message, followed by the cause's message. The error of a host with several addresses has a code instead. */
  override toString(): string {
    const { message, code } = this.cause as NodeJS.ErrnoException;
    return `${this.message}: ${message || String(code)}`;
  }
}

/** Formats an error of a command: one line if the database is not available. */
export function formatCommandError(error: unknown): string {
  const isExpected = error instanceof DatabaseUnavailableException;
  return formatStartupError(isExpected ? new StartupError(String(error)) : error);
}

/** Returns whether the database could not execute a statement, in contrast to an error in the statement. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return UNAVAILABLE.test(error.code ?? '');
  // A parameter or a value that cannot be converted.
  return !(error instanceof TypeError || error instanceof RangeError);
}

/** Returns whether an error for which {@link isUnavailable} is true has ended the connection. */
export function isConnectionLost(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError) || LOST.test(error.code ?? '');
}

/** Returns whether a statement for which {@link isUnavailable} is true may have taken effect. */
export function mayHaveTakenEffect(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError) || UNKNOWN_OUTCOME.test(error.code ?? '');
}

/** Returns whether a transaction may succeed if it is retried. */
export function isRetryable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && RETRYABLE.includes(error.code ?? '');
}
