import { inspect } from 'node:util';
import { RuntimeException } from '@nestjs/core/errors/exceptions/runtime.exception.js';

/** An error at start-up whose message says what is wrong and what to do. Its stack is not printed. */
export class StartupError extends Error {}

/**
 * Formats an error that aborted start-up: one line for a {@link StartupError} or an error of Nest's
 * dependency injection, one line for each error of an `AggregateError`, and for all others the stack,
 * including their causes.
 */
export function formatStartupError(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(formatStartupError).join('\n');
  if (error instanceof StartupError || error instanceof RuntimeException) {
    return error.message.trim().replace(/\s*\n\s*/g, ' ');
  }
  return inspect(error);
}
