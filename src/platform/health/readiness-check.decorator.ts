import { DiscoveryService } from '@nestjs/core';
import type { HealthIndicatorResult } from '@nestjs/terminus';

/** How a readiness check appears. */
export interface ReadinessCheckOptions {
  /** Its name in the answer, in snake_case. */
  name: string;
  /** Whether the service does without: while it is down, `/system/readyz` is 200 and `degraded`. */
  optional?: boolean;
}

/** What a readiness check does. */
export interface ReadinessIndicator {
  /**
   * Looks whether something works. Nothing returned means that it is up, something thrown that it
   * is down, with the error's message as the reason for the log; a result of one of Terminus's
   * indicators says it itself.
   *
   * @param signal aborted after 800 ms, when the check is taken for down. Let it end what the check
   *   waits for: the check is soon run again, and one that goes on waiting piles up
   */
  check(
    signal: AbortSignal,
  ): Promise<void> | Promise<HealthIndicatorResult> | HealthIndicatorResult | undefined;
}

/**
 * Makes a provider, of any module, a readiness check: a class with the method of
 * {@link ReadinessIndicator}.
 *
 * @example
 * ```ts
 * @Injectable()
 * @ReadinessCheck({ name: 'database' })
 * export class DatabaseIndicator implements ReadinessIndicator {
 *   constructor(private readonly database: Database) {}
 *
 *   async check(signal: AbortSignal): Promise<void> {
 *     await this.database.query('select 1', { signal });
 *   }
 * }
 * ```
 */
export const ReadinessCheck = DiscoveryService.createDecorator<ReadinessCheckOptions>();
