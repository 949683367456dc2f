import { SetMetadata } from '@nestjs/common';

const METADATA_KEY = 'petsage:skip-request-log';

/**
 * Excludes a handler's requests from the request log unless they fail with status 500 or above. For
 * endpoints that are polled, such as probes.
 *
 * @param expectedStatuses statuses of 500 and above that are excluded too
 *
 * @example
 * ```ts
 * @Get()
 * @SkipRequestLog(HttpStatus.SERVICE_UNAVAILABLE)
 * getStatus() {}
 * ```
 */
export const SkipRequestLog = (...expectedStatuses: number[]) =>
  SetMetadata(METADATA_KEY, expectedStatuses);

/** Returns whether responses of a handler with this status are excluded from the request log. */
export function skipsRequestLog(handler: object, status: number): boolean {
  const expected = Reflect.getMetadata(METADATA_KEY, handler) as number[] | undefined;
  return expected !== undefined && (status < 500 || expected.includes(status));
}
