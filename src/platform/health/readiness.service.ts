import { inspect } from 'node:util';
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { StartupError } from '../startup-error.js';
import {
  ReadinessCheck,
  type ReadinessCheckOptions,
  type ReadinessIndicator,
} from './readiness-check.decorator.js';

/** Less than the default time limit of a Kubernetes probe (1 s). */
const DEFAULT_TIMEOUT_MS = 800;

const DEFAULT_CACHE_MS = 1000;

/** The longest time of a timer in Node.js. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Maximum length of the reason in the log, in characters. */
const MAX_REASON_LENGTH = 1000;

const STATES: unknown[] = ['up', 'degraded', 'down'];

type ReadinessState = 'up' | 'degraded' | 'down';

export interface ReadinessReport {
  status: 'ok' | 'degraded' | 'error' | 'draining';
  /** State of each check by name. */
  checks: Record<string, ReadinessState>;
}

interface RegisteredCheck extends Required<ReadinessCheckOptions> {
  indicator: ReadinessIndicator;
  /** State of the last run. */
  state: ReadinessState;
  /** Duration of the last run, in milliseconds. */
  durationMs: number;
  cache: { state: Promise<ReadinessState>; expiresAt: number } | undefined;
}

interface CheckResult {
  state: ReadinessState;
  message: string;
  responseTime: number;
}

/** Runs the readiness checks of the platform and of all features. */
@Injectable()
export class ReadinessService implements OnApplicationBootstrap {
  private readonly logger = new Logger(ReadinessService.name);
  readonly checks: RegisteredCheck[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly indicators: HealthIndicatorService,
    private readonly lifecycle: LifecycleService,
  ) {}

  /**
   * Registers all providers with `@ReadinessCheck()`, after their own `onModuleInit()`: the management port
   * serves metrics during start-up, which run the checks.
   *
   * @throws Error that names the provider and what was expected, if one is invalid
   */
  onApplicationBootstrap(): void {
    const providers = this.discovery.getProviders({ metadataKey: ReadinessCheck.KEY });
    for (const provider of providers) {
      const className = String(provider.name);
      const {
        name,
        optional = false,
        timeoutMs = DEFAULT_TIMEOUT_MS,
        cacheMs = DEFAULT_CACHE_MS,
      } = this.discovery.getMetadataByDecorator(ReadinessCheck, provider) ?? {};
      if (name === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
        throw new StartupError(
          `${className}: expected @ReadinessCheck({ name }) with a name in snake_case, got ${inspect(name)}`,
        );
      }
      const indicator = provider.instance as ReadinessIndicator | undefined;
      if (typeof indicator?.check !== 'function' || !provider.isDependencyTreeStatic()) {
        throw new StartupError(
          `${className}: expected a provider of default scope with a method check(), as ReadinessIndicator declares it`,
        );
      }
      for (const [option, value] of Object.entries({ timeoutMs, cacheMs })) {
        if (!Number.isInteger(value) || value < 0 || value > MAX_TIMER_MS) {
          throw new StartupError(
            `${className}: expected @ReadinessCheck({ ${option} }) with a whole number of milliseconds from 0 to ${MAX_TIMER_MS}, got ${inspect(value)}`,
          );
        }
      }
      if (this.checks.some((other) => other.name === name)) {
        throw new StartupError(
          `${className}: another readiness check has the name ${name}. Choose another name.`,
        );
      }
      const options = { name, optional, timeoutMs, cacheMs };
      this.checks.push({ ...options, indicator, state: 'up', durationMs: 0, cache: undefined });
    }
  }

  /** Returns whether the service is ready. Takes no longer than the longest time limit of a check. */
  async getReport(): Promise<ReadinessReport> {
    const checks = this.lifecycle.isStopping ? {} : await this.getStates();
    // The phase may have changed while the checks ran.
    if (this.lifecycle.isStopping) return { status: 'draining', checks: {} };
    const impaired = this.checks.filter(({ name }) => checks[name] !== 'up');
    const isError = impaired.some(({ name, optional }) => checks[name] === 'down' && !optional);
    return { status: isError ? 'error' : impaired.length > 0 ? 'degraded' : 'ok', checks };
  }

  /** Returns the state of each check. Concurrent calls share one run of each, whose result is cached. */
  async getStates(): Promise<Record<string, ReadinessState>> {
    const states = this.checks.map(
      async (check) => [check.name, await this.getState(check)] as const,
    );
    return Object.fromEntries(await Promise.all(states));
  }

  private getState(check: RegisteredCheck): Promise<ReadinessState> {
    if (check.cache === undefined || performance.now() > check.cache.expiresAt) {
      const cache = { state: this.run(check), expiresAt: Infinity };
      void cache.state.then(() => {
        cache.expiresAt = performance.now() + check.cacheMs;
      });
      check.cache = cache;
    }
    return check.cache.state;
  }

  /** Runs a check and logs a change of its state. */
  private async run(check: RegisteredCheck): Promise<ReadinessState> {
    const { name, optional, timeoutMs, indicator, state: previous } = check;
    const attempt = this.indicators.check(name).attempt(async ({ signal }) => {
      try {
        return toCheckResult(await indicator.check(signal));
      } catch (error) {
        throw new Error(getReason(error), { cause: error });
      }
    });
    const result = await attempt.withTimeout(timeoutMs);
    const { state = 'down', message, responseTime = 0 } = result[name] as Partial<CheckResult>;
    const reason = message?.slice(0, MAX_REASON_LENGTH);
    check.state = state;
    check.durationMs = responseTime;
    if (state !== previous) {
      const level = state === 'up' ? 'log' : state === 'down' && !optional ? 'error' : 'warn';
      this.logger[level]({ check: name, reason }, `Readiness check ${name} is ${state}`);
    }
    return state;
  }
}

/**
 * Converts the return value of an indicator.
 *
 * @throws Error with the reason, if it reports `down` or is not a valid result
 */
function toCheckResult(returned: unknown): Partial<CheckResult> {
  if (returned === undefined) return { state: 'up' };
  const results: unknown[] = Object.values(returned ?? {});
  const states = results.map((result) => (result as { status?: unknown } | null)?.status);
  if (states.length === 0 || !states.every((state) => STATES.includes(state))) {
    throw new Error(
      `expected check() to return nothing or a Terminus health indicator result, got ${inspect(returned)}`,
    );
  }
  if (states.every((state) => state === 'up')) return { state: 'up' };
  const message = inspect(returned, { breakLength: Infinity });
  if (states.includes('down')) throw new Error(message);
  return { state: 'degraded', message };
}

/** Returns the message of an error, followed by the messages of its causes. */
function getReason(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  // The AggregateError of a failed connection to several addresses has a code but no message.
  const { message, name, code = name, cause } = error as NodeJS.ErrnoException;
  const reason = message === '' ? code : message;
  return cause instanceof Error ? `${reason}: ${getReason(cause)}` : reason;
}
