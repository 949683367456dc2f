import { inspect } from 'node:util';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { Lifecycle } from '../lifecycle/lifecycle.js';
import {
  ReadinessCheck,
  type ReadinessCheckOptions,
  type ReadinessIndicator,
} from './readiness-check.decorator.js';

/** How long one check may take, in milliseconds: less than Kubernetes gives the whole probe. */
const TIME_LIMIT_MS = 800;

/** How much of the reason for a state is logged, in characters. */
const REASON_LIMIT = 1000;

/** How long the states of the checks are good for, in milliseconds. */
const CACHE_MS = 1000;

const STATES: unknown[] = ['up', 'degraded', 'down'];

/** The state of a check. */
export type CheckState = 'up' | 'degraded' | 'down';

/** Whether the service is to be sent requests, and the state of each check by its name. */
export interface ReadinessReport {
  status: 'ok' | 'degraded' | 'error' | 'draining';
  checks: Record<string, CheckState>;
}

/** A check that was found, and the state in which it was last seen. */
export interface Check extends Required<ReadinessCheckOptions> {
  indicator: ReadinessIndicator;
  state: CheckState;
}

/** How a check ended: the state, if it told one, and the reason for it. */
interface Outcome {
  state: CheckState;
  message: string;
}

/** Runs the readiness checks of the platform and of every feature. */
@Injectable()
export class Readiness implements OnModuleInit {
  private readonly logger = new Logger(Readiness.name);
  /** The checks that were found. */
  readonly checks: Check[] = [];
  private latest: { states: Promise<Record<string, CheckState>>; staleAt: number } | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly indicators: HealthIndicatorService,
    private readonly lifecycle: Lifecycle,
  ) {}

  /**
   * Finds the checks.
   *
   * @throws Error with a sentence for the author of one that is wrong
   */
  onModuleInit(): void {
    const providers = this.discovery.getProviders({ metadataKey: ReadinessCheck.KEY });
    for (const provider of providers) {
      const found = String(provider.name);
      const { name, optional = false } =
        this.discovery.getMetadataByDecorator(ReadinessCheck, provider) ?? {};
      if (name === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
        throw new Error(
          `${found}: expected @ReadinessCheck({ name }) with a name in snake_case, found ${inspect(name)}`,
        );
      }
      const indicator = provider.instance as ReadinessIndicator | undefined;
      if (typeof indicator?.check !== 'function' || !provider.isDependencyTreeStatic()) {
        throw new Error(
          `${found}: expected a readiness check to be a provider of default scope with a method check()`,
        );
      }
      if (this.checks.some((other) => other.name === name)) {
        throw new Error(
          `${found}: expected one readiness check of the name ${name}, found another`,
        );
      }
      this.checks.push({ name, optional, indicator, state: 'up' });
    }
  }

  /** Whether the service is ready. It answers in less than a second, whatever a check does. */
  async report(): Promise<ReadinessReport> {
    const checks = this.isDraining() ? {} : await this.states();
    // It may have been told to stop meanwhile.
    if (this.isDraining()) return { status: 'draining', checks: {} };
    const impaired = this.checks.filter(({ name }) => checks[name] !== 'up');
    const isError = impaired.some(({ name, optional }) => checks[name] === 'down' && !optional);
    return { status: isError ? 'error' : impaired.length > 0 ? 'degraded' : 'ok', checks };
  }

  /** The state of each check, at most a second old. However many ask, the checks run once. */
  states(): Promise<Record<string, CheckState>> {
    if (this.latest === undefined || performance.now() > this.latest.staleAt) {
      const latest = { states: this.runAll(), staleAt: Infinity };
      void latest.states.then(() => {
        latest.staleAt = performance.now() + CACHE_MS;
      });
      this.latest = latest;
    }
    return this.latest.states;
  }

  private isDraining(): boolean {
    return ['draining', 'stopped'].includes(this.lifecycle.phase);
  }

  private async runAll(): Promise<Record<string, CheckState>> {
    const states = this.checks.map(async (check) => [check.name, await this.run(check)] as const);
    return Object.fromEntries(await Promise.all(states));
  }

  /** Runs a check. A change of its state is logged, with the reason. */
  private async run(check: Check): Promise<CheckState> {
    const { name, optional, indicator, state: before } = check;
    const attempt = this.indicators.check(name).attempt(async ({ signal }) => {
      try {
        return judge(await indicator.check(signal));
      } catch (error) {
        throw new Error(reasonOf(error), { cause: error });
      }
    });
    const result = await attempt.withTimeout(TIME_LIMIT_MS);
    const { state = 'down', message } = result[name] as Partial<Outcome>;
    const reason = message?.slice(0, REASON_LIMIT);
    check.state = state;
    if (state !== before) {
      const level = state === 'up' ? 'log' : state === 'down' && !optional ? 'error' : 'warn';
      this.logger[level]({ check: name, reason }, `Readiness check ${name} is ${state}`);
    }
    return state;
  }
}

/**
 * What an indicator's answer means.
 *
 * @throws Error with the reason, when it is down or no answer
 */
function judge(answer: unknown): Partial<Outcome> {
  if (answer === undefined) return { state: 'up' };
  const entries: unknown[] = Object.values(answer ?? {});
  const states = entries.map((entry) => (entry as { status?: unknown } | null)?.status);
  if (states.length === 0 || !states.every((state) => STATES.includes(state))) {
    throw new Error(
      `expected the check to return nothing or a result of Terminus, found ${inspect(answer)}`,
    );
  }
  if (states.every((state) => state === 'up')) return { state: 'up' };
  const message = inspect(answer, { breakLength: Infinity });
  if (states.includes('down')) throw new Error(message);
  return { state: 'degraded', message };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  // What Node says of several addresses that all refused has a code alone.
  const { message, name, code = name } = error as NodeJS.ErrnoException;
  return message === '' ? code : message;
}
