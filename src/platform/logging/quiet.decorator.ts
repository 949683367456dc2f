import { SetMetadata } from '@nestjs/common';

const QUIET = 'petsage:quiet';

/**
 * Keeps a handler's requests out of the log while they are answered below 500. For what probes ask
 * every few seconds.
 */
export const Quiet = () => SetMetadata(QUIET, true);

/** Whether a route's handler, as Express has it, is a quiet one: Nest hands its metadata on. */
export function isQuiet(handler: object): boolean {
  return Reflect.hasMetadata(QUIET, handler);
}
