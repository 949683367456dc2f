import { jest } from '@jest/globals';
import { Injectable, type LoggerService, Scope, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { waitFor } from '../../../test/fixtures/wait-for.js';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { ReadinessCheck, type ReadinessCheckOptions } from './readiness-check.decorator.js';
import { ReadinessService } from './readiness.service.js';

/** The implementations of the checks, by name. */
let checks: Record<string, (signal: AbortSignal) => unknown>;
let lifecycle: LifecycleService;
let logged: unknown[][];

const logger: LoggerService = {
  log: (...record: unknown[]) => logged.push(['log', ...record]),
  warn: (...record: unknown[]) => logged.push(['warn', ...record]),
  error: (...record: unknown[]) => logged.push(['error', ...record]),
};

/** Creates a class with a readiness check that calls the implementation of its name. */
function createIndicator(options: ReadinessCheckOptions): Type {
  @Injectable()
  @ReadinessCheck(options)
  class TestIndicator {
    check(signal: AbortSignal): unknown {
      return checks[options.name]?.(signal);
    }
  }
  return TestIndicator;
}

async function createReadiness(...providers: Type[]): Promise<ReadinessService> {
  const module = await Test.createTestingModule({
    imports: [DiscoveryModule, TerminusModule],
    providers: [ReadinessService, { provide: LifecycleService, useValue: lifecycle }, ...providers],
  })
    .setLogger(logger)
    .compile();
  await module.init();
  logged = [];
  return module.get(ReadinessService);
}

beforeEach(() => {
  checks = {};
  lifecycle = new LifecycleService(new ConnectionTracker());
  logged = [];
  jest.useFakeTimers({ doNotFake: ['setTimeout', 'nextTick', 'setImmediate'] });
});

afterEach(() => {
  jest.useRealTimers();
});

describe('ReadinessService', () => {
  it('reports ok without checks', async () => {
    expect(await (await createReadiness()).getReport()).toEqual({ status: 'ok', checks: {} });
  });

  it.each([
    ['up', 'returns nothing', () => undefined],
    ['up', 'resolves with nothing', () => Promise.resolve()],
    ['up', 'returns up as a Terminus result', () => ({ api: { status: 'up' } })],
    ['degraded', 'returns degraded as a Terminus result', () => ({ api: { status: 'degraded' } })],
    ['down', 'returns down as a Terminus result', () => ({ api: { status: 'down' } })],
    [
      'down',
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['down', 'rejects', () => Promise.reject(new Error('no'))],
    [
      'down',
      'rejects with an object without a prototype',
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      () => Promise.reject(Object.create(null)),
    ],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    ['down', 'rejects with undefined', () => Promise.reject()],
    ['down', 'never settles', () => new Promise(() => undefined)],
    ['down', 'returns true', () => true],
    ['down', 'returns null', () => null],
    ['down', 'returns a string', () => 'up'],
    ['down', 'returns an unknown status', () => ({ api: { status: 'fine' } })],
    ['down', 'returns an empty object', () => ({})],
    ['down', 'returns a status without a name', () => ({ status: 'up' })],
  ])('reports %s for a check that %s', async (state, _, check) => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    checks.pets = check;
    const status = { up: 'ok', degraded: 'degraded', down: 'error' }[state];
    expect(await readiness.getReport()).toEqual({ status, checks: { pets: state } });
  });

  it('aborts the signal of a check that exceeds the time limit', async () => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    let received: AbortSignal | undefined;
    checks.pets = (signal) => {
      received = signal;
      return new Promise(() => undefined);
    };
    await readiness.getReport();
    expect(received?.aborted).toBe(true);
    expect(logged).toEqual([
      [
        'error',
        { check: 'pets', reason: 'timeout of 800ms exceeded' },
        'Readiness check pets is down',
        'ReadinessService',
      ],
    ]);
  });

  it('applies the time limit of each check', async () => {
    const readiness = await createReadiness(
      createIndicator({ name: 'pets', timeoutMs: 10, cacheMs: 0 }),
      createIndicator({ name: 'advice', timeoutMs: 60_000 }),
    );
    let isPetsDown = false;
    checks.advice = () => waitFor(() => isPetsDown);
    checks.pets = (signal) => {
      signal.addEventListener('abort', () => (isPetsDown = true));
      return new Promise(() => undefined);
    };
    expect(await readiness.getReport()).toEqual({
      status: 'error',
      checks: { pets: 'down', advice: 'up' },
    });
    expect(logged).toEqual([
      [
        'error',
        { check: 'pets', reason: 'timeout of 10ms exceeded' },
        'Readiness check pets is down',
        'ReadinessService',
      ],
    ]);
  });

  it('records the duration of the last run', async () => {
    jest.useRealTimers();
    const readiness = await createReadiness(
      createIndicator({ name: 'pets' }),
      createIndicator({ name: 'advice', timeoutMs: 1010 }),
    );
    checks.advice = () => new Promise(() => undefined);
    await readiness.getReport();
    const [pets, advice] = readiness.checks;
    expect(advice?.durationMs).toBeGreaterThanOrEqual(1000);
    expect(advice?.durationMs).toBeGreaterThan(pets?.durationMs ?? Infinity);
  });

  it('caches the result of each check for its own time', async () => {
    const readiness = await createReadiness(
      createIndicator({ name: 'pets', cacheMs: 5000 }),
      createIndicator({ name: 'advice', cacheMs: 0 }),
    );
    const runs = { pets: 0, advice: 0 };
    checks.pets = () => void (runs.pets += 1);
    checks.advice = () => void (runs.advice += 1);
    await readiness.getReport();
    jest.advanceTimersByTime(5000);
    await readiness.getReport();
    expect(runs).toEqual({ pets: 1, advice: 2 });
    jest.advanceTimersByTime(1);
    await readiness.getReport();
    expect(runs).toEqual({ pets: 2, advice: 3 });
  });

  it('logs the reason of a degraded check, truncated to 1000 characters', async () => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    checks.pets = () => ({ api: { status: 'degraded', message: 'x'.repeat(5000) } });
    expect(await readiness.getReport()).toEqual({
      status: 'degraded',
      checks: { pets: 'degraded' },
    });
    const [, { reason }] = logged[0] as [string, { reason: string }];
    expect(reason).toMatch(/^\{ api: \{ status: 'degraded', message: 'x+$/);
    expect(reason).toHaveLength(1000);
  });

  it('reports degraded when only an optional check is down', async () => {
    const readiness = await createReadiness(
      createIndicator({ name: 'pets' }),
      createIndicator({ name: 'advice', optional: true }),
    );
    checks.advice = () => Promise.reject(new Error('no'));
    expect(await readiness.getReport()).toEqual({
      status: 'degraded',
      checks: { pets: 'up', advice: 'down' },
    });
    expect(logged).toEqual([
      [
        'warn',
        { check: 'advice', reason: 'no' },
        'Readiness check advice is down',
        'ReadinessService',
      ],
    ]);
  });

  it('accepts results of HealthIndicatorService', async () => {
    @Injectable()
    @ReadinessCheck({ name: 'pets' })
    class PetsIndicator {
      constructor(private readonly indicators: HealthIndicatorService) {}

      check() {
        return this.indicators.check('api').attempt(() => {
          throw new Error('no route to host');
        });
      }
    }
    const readiness = await createReadiness(PetsIndicator);
    expect(await readiness.getReport()).toEqual({ status: 'error', checks: { pets: 'down' } });
    expect(logged[0]?.[1]).toMatchObject({
      reason: expect.stringContaining("message: 'no route to host'") as string,
    });
  });

  it('runs each check once for concurrent reports, and again after one second', async () => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    let runs = 0;
    let finish: () => void = () => undefined;
    checks.pets = () => {
      runs += 1;
      return new Promise<void>((resolve) => (finish = resolve));
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const reports = Array.from({ length: 1000 }, () => readiness.getReport());
    await turn();
    // The check may take longer than the cache is valid.
    jest.advanceTimersByTime(5000);
    reports.push(readiness.getReport());
    finish();
    await Promise.all(reports);
    expect(runs).toBe(1);
    jest.advanceTimersByTime(1000);
    await readiness.getReport();
    expect(runs).toBe(1);
    jest.advanceTimersByTime(1);
    const again = readiness.getReport();
    await turn();
    finish();
    await again;
    expect(runs).toBe(2);
  });

  it('logs each change of state once, with the reason', async () => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    const fail = () => {
      throw Object.assign(new Error(''), { code: 'ECONNREFUSED' });
    };
    for (const check of [() => undefined, fail, fail, () => undefined, () => undefined]) {
      checks.pets = check;
      await readiness.getReport();
      jest.advanceTimersByTime(1001);
    }
    expect(logged).toEqual([
      [
        'error',
        { check: 'pets', reason: 'ECONNREFUSED' },
        'Readiness check pets is down',
        'ReadinessService',
      ],
      [
        'log',
        { check: 'pets', reason: undefined },
        'Readiness check pets is up',
        'ReadinessService',
      ],
    ]);
  });

  it('logs the causes of an error', async () => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    checks.pets = () => {
      const cause = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
      throw new Error('fetch failed', { cause });
    };
    await readiness.getReport();
    expect(logged).toEqual([
      [
        'error',
        { check: 'pets', reason: 'fetch failed: ECONNREFUSED' },
        'Readiness check pets is down',
        'ReadinessService',
      ],
    ]);
  });

  it('reports draining at once, even while a check runs', async () => {
    const readiness = await createReadiness(createIndicator({ name: 'pets' }));
    checks.pets = () => new Promise(() => undefined);
    const pending = readiness.getReport();
    lifecycle.enter('draining');
    expect(await readiness.getReport()).toEqual({ status: 'draining', checks: {} });
    expect(await pending).toEqual({ status: 'draining', checks: {} });
  });

  it.each([
    [
      'an invalid name',
      () => [createIndicator({ name: 'Pet store' })],
      "TestIndicator: expected @ReadinessCheck({ name }) with a name in snake_case, got 'Pet store'",
    ],
    [
      'no name',
      () => {
        @ReadinessCheck()
        @Injectable()
        class Nameless {
          check(): undefined {
            return undefined;
          }
        }
        return [Nameless];
      },
      'Nameless: expected @ReadinessCheck({ name }) with a name in snake_case, got undefined',
    ],
    [
      'a duplicate name',
      () => [createIndicator({ name: 'pets' }), createIndicator({ name: 'pets' })],
      'TestIndicator: another readiness check has the name pets. Choose another name.',
    ],
    [
      'no check method',
      () => {
        @ReadinessCheck({ name: 'pets' })
        @Injectable()
        class Idle {}
        return [Idle];
      },
      'Idle: expected a provider of default scope with a method check(), as ReadinessIndicator declares it',
    ],
    [
      'request scope',
      () => {
        @ReadinessCheck({ name: 'pets' })
        @Injectable({ scope: Scope.REQUEST })
        class Scoped {
          check(): undefined {
            return undefined;
          }
        }
        return [Scoped];
      },
      'Scoped: expected a provider of default scope with a method check(), as ReadinessIndicator declares it',
    ],
  ])('rejects a check with %s', async (_, providers, message) => {
    await expect(createReadiness(...providers())).rejects.toThrow(message);
  });

  it.each([{ timeoutMs: 1.5 }, { timeoutMs: Infinity }, { cacheMs: -1 }, { cacheMs: NaN }])(
    'rejects a check with %j',
    async (options) => {
      const [[name, value] = []] = Object.entries(options);
      await expect(createReadiness(createIndicator({ name: 'pets', ...options }))).rejects.toThrow(
        `TestIndicator: expected @ReadinessCheck({ ${name} }) with a whole number of milliseconds from 0 to 2147483647, got ${value}`,
      );
    },
  );
});
