import pg from 'pg';
import {
  DatabaseUnavailableException,
  isConnectionLost,
  isRetryable,
  isUnavailable,
  mayHaveTakenEffect,
} from './database-errors.js';

function createError(code: string): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('message', 0, 'error'), { code });
}

describe('DatabaseUnavailableException', () => {
  it('has the cause and Retry-After', () => {
    const cause = new Error('lost');
    const exception = new DatabaseUnavailableException(cause);
    expect(exception.getStatus()).toBe(503);
    expect(exception.message).toBe('The database is not available');
    expect(String(exception)).toBe('The database is not available: lost');
    expect(exception.cause).toBe(cause);
    expect(exception.headers).toEqual({ 'Retry-After': '1' });
  });

  it('names the code of an error without a message', () => {
    const cause = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    expect(String(new DatabaseUnavailableException(cause))).toBe(
      'The database is not available: ECONNREFUSED',
    );
  });

  it('has no Retry-After if the outcome is unknown', () => {
    expect(new DatabaseUnavailableException(new Error('lost'), true).headers).toEqual({});
  });
});

describe('errors by SQLSTATE', () => {
  it.each([
    // Shutdown of the server, lost connection, and a failover to a standby.
    ['57P01', { unavailable: true, lost: true, unknown: true, retryable: false }],
    ['08006', { unavailable: true, lost: true, unknown: true, retryable: false }],
    ['25P03', { unavailable: true, lost: true, unknown: false, retryable: false }],
    ['25P04', { unavailable: true, lost: true, unknown: false, retryable: false }],
    ['25006', { unavailable: true, lost: true, unknown: false, retryable: false }],
    // Too many connections, full disk, time limits of the server.
    ['53300', { unavailable: true, lost: false, unknown: false, retryable: false }],
    ['53100', { unavailable: true, lost: false, unknown: false, retryable: false }],
    ['57014', { unavailable: true, lost: false, unknown: false, retryable: false }],
    ['55P03', { unavailable: true, lost: false, unknown: false, retryable: false }],
    // Serialization failure and deadlock.
    ['40001', { unavailable: false, lost: false, unknown: false, retryable: true }],
    ['40P01', { unavailable: false, lost: false, unknown: false, retryable: true }],
    // Errors of the statement.
    ['23505', { unavailable: false, lost: false, unknown: false, retryable: false }],
    ['22021', { unavailable: false, lost: false, unknown: false, retryable: false }],
    ['42P01', { unavailable: false, lost: false, unknown: false, retryable: false }],
    ['25001', { unavailable: false, lost: false, unknown: false, retryable: false }],
  ])('%s: %j', (code, expected) => {
    const error = createError(code);
    expect({
      unavailable: isUnavailable(error),
      lost: isConnectionLost(error),
      unknown: mayHaveTakenEffect(error),
      retryable: isRetryable(error),
    }).toEqual(expected);
  });

  it('regards errors of the socket as a lost connection', () => {
    const error = new Error('Connection terminated unexpectedly');
    expect([isUnavailable(error), isConnectionLost(error)]).toEqual([true, true]);
  });

  it.each([new TypeError('circular'), new RangeError('unsafe')])(
    'regards a %s as an error of the statement',
    (error) => {
      expect(isUnavailable(error)).toBe(false);
    },
  );
});
