import { jest } from '@jest/globals';
import { Injectable, type LoggerService, Scope, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { ReadinessCheck, type ReadinessCheckOptions } from './readiness-check.decorator.js';
import { ReadinessService } from './readiness.service.js';

/** What the checks of a test do, by their names. */
let behaviour: Record<string, (signal: AbortSignal) => unknown>;
let lifecycle: LifecycleService;
let logged: unknown[][];

const logger: LoggerService = {
  log: (...record: unknown[]) => logged.push(['log', ...record]),
  warn: (...record: unknown[]) => logged.push(['warn', ...record]),
  error: (...record: unknown[]) => logged.push(['error', ...record]),
};

/** A readiness check as a feature has it. */
function indicator(options: ReadinessCheckOptions): Type {
  @Injectable()
  @ReadinessCheck(options)
  class TestIndicator {
    check(signal: AbortSignal): unknown {
      return behaviour[options.name]?.(signal);
    }
  }
  return TestIndicator;
}

async function readinessOf(...providers: Type[]): Promise<ReadinessService> {
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
  behaviour = {};
  lifecycle = new LifecycleService(new ConnectionTracker());
  logged = [];
  jest.useFakeTimers({ doNotFake: ['setTimeout', 'nextTick', 'setImmediate'] });
});

afterEach(() => {
  jest.useRealTimers();
});

describe('ReadinessService', () => {
  it('is ok without a check', async () => {
    expect(await (await readinessOf()).getReport()).toEqual({ status: 'ok', checks: {} });
  });

  it.each([
    ['returns nothing', () => undefined, 'up'],
    ['resolves with nothing', () => Promise.resolve(), 'up'],
    ['is up in Terminus’s words', () => ({ api: { status: 'up' } }), 'up'],
    ['is degraded in Terminus’s words', () => ({ api: { status: 'degraded' } }), 'degraded'],
    ['is down in Terminus’s words', () => ({ api: { status: 'down', message: 'no' } }), 'down'],
    [
      'throws',
      () => {
        throw new Error('no');
      },
      'down',
    ],
    ['rejects', () => Promise.reject(new Error('no')), 'down'],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    ['rejects with what is no error', () => Promise.reject(Object.create(null)), 'down'],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    ['rejects with nothing', () => Promise.reject(), 'down'],
    ['hangs', () => new Promise(() => undefined), 'down'],
    ['answers true', () => true, 'down'],
    ['answers null', () => null, 'down'],
    ['answers a word', () => 'up', 'down'],
    ['answers a state of its own', () => ({ api: { status: 'fine' } }), 'down'],
    ['answers an empty object', () => ({}), 'down'],
    ['answers a status alone', () => ({ status: 'up' }), 'down'],
  ])('takes a check that %s for what it is', async (_, check, state) => {
    const readiness = await readinessOf(indicator({ name: 'pets' }));
    behaviour.pets = check;
    const status = { up: 'ok', degraded: 'degraded', down: 'error' }[state];
    expect(await readiness.getReport()).toEqual({ status, checks: { pets: state } });
  });

  it('tells a check that takes too long to give up', async () => {
    const readiness = await readinessOf(indicator({ name: 'pets' }));
    let given: AbortSignal | undefined;
    behaviour.pets = (signal) => {
      given = signal;
      return new Promise(() => undefined);
    };
    await readiness.getReport();
    expect(given?.aborted).toBe(true);
    expect(logged).toEqual([
      [
        'error',
        { check: 'pets', reason: 'timeout of 800ms exceeded' },
        'Readiness check pets is down',
        'ReadinessService',
      ],
    ]);
  });

  it('tells why a check is degraded, in a thousand characters at most', async () => {
    const readiness = await readinessOf(indicator({ name: 'pets' }));
    behaviour.pets = () => ({ api: { status: 'degraded', message: 'x'.repeat(5000) } });
    expect(await readiness.getReport()).toEqual({
      status: 'degraded',
      checks: { pets: 'degraded' },
    });
    const [, { reason }] = logged[0] as [string, { reason: string }];
    expect(reason).toMatch(/^\{ api: \{ status: 'degraded', message: 'x+$/);
    expect(reason).toHaveLength(1000);
  });

  it('is degraded while only an optional check is down', async () => {
    const readiness = await readinessOf(
      indicator({ name: 'pets' }),
      indicator({ name: 'advice', optional: true }),
    );
    behaviour.advice = () => Promise.reject(new Error('no'));
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

  it('takes the results of Terminus’s indicators', async () => {
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
    const readiness = await readinessOf(PetsIndicator);
    expect(await readiness.getReport()).toEqual({ status: 'error', checks: { pets: 'down' } });
    expect(logged[0]?.[1]).toMatchObject({
      reason: expect.stringContaining("message: 'no route to host'") as string,
    });
  });

  it('runs each check once for however many ask at once, and again a second later', async () => {
    const readiness = await readinessOf(indicator({ name: 'pets' }));
    let runs = 0;
    let finish: () => void = () => undefined;
    behaviour.pets = () => {
      runs += 1;
      return new Promise<void>((resolve) => (finish = resolve));
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const reports = Array.from({ length: 1000 }, () => readiness.getReport());
    await turn();
    // However long the check takes.
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

  it('logs a change of state once, with the reason', async () => {
    const readiness = await readinessOf(indicator({ name: 'pets' }));
    const fail = () => {
      throw Object.assign(new Error(''), { code: 'ECONNREFUSED' });
    };
    for (const check of [() => undefined, fail, fail, () => undefined, () => undefined]) {
      behaviour.pets = check;
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

  it('is draining as soon as the process is, whatever the checks do', async () => {
    const readiness = await readinessOf(indicator({ name: 'pets' }));
    behaviour.pets = () => new Promise(() => undefined);
    const asked = readiness.getReport();
    lifecycle.enter('draining');
    expect(await readiness.getReport()).toEqual({ status: 'draining', checks: {} });
    expect(await asked).toEqual({ status: 'draining', checks: {} });
  });

  it.each([
    [
      'a name that is none',
      () => [indicator({ name: 'Pet store' })],
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
      'one name twice',
      () => [indicator({ name: 'pets' }), indicator({ name: 'pets' })],
      'TestIndicator: another readiness check has the name pets. Choose another name.',
    ],
    [
      'no method',
      () => {
        @ReadinessCheck({ name: 'pets' })
        @Injectable()
        class Idle {}
        return [Idle];
      },
      'Idle: expected a provider of default scope with a method check(), as ReadinessIndicator declares it',
    ],
    [
      'another scope',
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
  ])('refuses to start with %s', async (_, providers, sentence) => {
    await expect(readinessOf(...providers())).rejects.toThrow(sentence);
  });
});
