import { SetMetadata } from '@nestjs/common';

const QUIET = 'petsage:quiet';

/**
 * Keeps a handler's requests out of the log while they are answered below 500. For what probes ask
 * every few seconds.
 *
 * @param expected statuses of 500 and above that are answers like any other, and not told either
 */
export const Quiet = (...expected: number[]) => SetMetadata(QUIET, expected);

/**
 * Whether requests to a route's handler, as Express has it, that end with this status stay out of
 * the log: Nest hands the handler's metadata on.
 */
export function isQuiet(handler: object, status: number): boolean {
  const expected = Reflect.getMetadata(QUIET, handler) as number[] | undefined;
  return expected !== undefined && (status < 500 || expected.includes(status));
}
