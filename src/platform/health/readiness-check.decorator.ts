import { DiscoveryService } from '@nestjs/core';
import type { HealthIndicatorResult } from '@nestjs/terminus';

export interface ReadinessCheckOptions {
  /** Name in the response of `/system/readyz`, in snake_case. */
  name: string;
  /**
   * Whether the service can work without it. While an optional check is down, `/system/readyz` returns
   * 200 with the status `degraded`.
   */
  optional?: boolean;
  /**
   * Time limit of a run, in milliseconds, 800 by default. It includes the event loop delay. Choose less than
   * the time limit of the readiness probe.
   */
  timeoutMs?: number;
  /** How long a result is valid, in milliseconds, 1000 by default. Concurrent requests share one run. */
  cacheMs?: number;
}

export interface ReadinessIndicator {
  /**
   * Return to report `up`; throw to report `down`. The error's message is logged as the reason. The
   * result of a Terminus health indicator may be returned as it is.
   *
   * @param signal is aborted after `timeoutMs`, when the check is reported as `down`. Pass it on to what the
   *   check waits for, because the check soon runs again
   */
  check(
    signal: AbortSignal,
  ): Promise<void> | Promise<HealthIndicatorResult> | HealthIndicatorResult | undefined;
}

/**
 * Registers a provider of any module as a readiness check. It must implement {@link ReadinessIndicator}.
 *
 * @example
 * ```ts
 * @Injectable()
 * @ReadinessCheck({ name: 'search', optional: true })
 * export class SearchIndicator implements ReadinessIndicator {
 *   constructor(private readonly search: SearchClient) {}
 *
 *   async check(signal: AbortSignal): Promise<void> {
 *     await this.search.ping({ signal });
 *   }
 * }
 * ```
 */
export const ReadinessCheck = DiscoveryService.createDecorator<ReadinessCheckOptions>();
