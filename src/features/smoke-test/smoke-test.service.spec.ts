import { jest } from '@jest/globals';
import { Registry } from 'prom-client';
import { UndeliveredError } from '../../platform/logging/log-destination.js';
import type { LogProbe } from '../../platform/logging/log-probe.js';
import { SmokeTestService } from './smoke-test.service.js';

describe('SmokeTestService', () => {
  let delivered: unknown[];
  let failure: Error | undefined;
  const logProbe: Pick<LogProbe, 'deliver'> = {
    deliver: (...record) => {
      if (failure) return Promise.reject(failure);
      delivered.push(record);
      return Promise.resolve();
    },
  };
  let registry: Registry;
  let service: SmokeTestService;

  beforeEach(() => {
    registry = new Registry();
    service = new SmokeTestService(logProbe as LogProbe, registry);
    delivered = [];
    failure = undefined;
    jest.useFakeTimers({ now: new Date('2026-01-31T12:00:00.123Z') });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('reports operation with the current time', () => {
    expect(service.checkOperation()).toEqual({
      status: 'ok',
      message: 'PetSage Smoke Test: Service is operational.',
      timestamp: '2026-01-31T12:00:00.123Z',
    });
  });

  it('reports liveness', () => {
    expect(service.checkLiveness()).toEqual({
      status: 'ok',
      message: 'PetSage API is alive and running!',
    });
  });

  it('reports the builder', () => {
    expect(service.checkBuilder()).toEqual({
      status: 'ok',
      feature: 'smoke_test',
      message: 'PetSage builder is functional!',
    });
  });

  it('reports logging after one record is delivered', async () => {
    expect(await service.checkLogging()).toEqual({
      status: 'ok',
      message: 'PetSage service is running and logging is operational.',
      timestamp: '2026-01-31T12:00:00.123Z',
    });
    expect(delivered).toEqual([
      [
        {
          context: 'SmokeTestService',
          event: 'smoke_test_executed',
          status: 'success',
          details: 'Log pipeline verification.',
        },
        'Executing PetSage smoke test.',
      ],
    ]);
  });

  it('rejects when the record is not delivered', async () => {
    failure = new UndeliveredError('no space');
    await expect(service.checkLogging()).rejects.toBe(failure);
  });

  it('echoes a string and does not log it', () => {
    expect(service.echo('🐕\u0000')).toEqual({
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: '🐕\u0000',
      timestamp: '2026-01-31T12:00:00.123Z',
    });
    expect(delivered).toEqual([]);
  });

  it('counts checks by outcome, starting at zero', async () => {
    const counts = async () => {
      const { values = [] } =
        (await registry.getSingleMetric('petsage_smoke_test_total')?.get()) ?? {};
      return values.map(({ labels, value }) => [labels.check, labels.outcome, value]);
    };
    expect(await counts()).toEqual([
      ['operation', 'success', 0],
      ['liveness', 'success', 0],
      ['builder', 'success', 0],
      ['logging', 'success', 0],
      ['echo', 'success', 0],
      ['logging', 'failure', 0],
    ]);
    service.checkOperation();
    service.checkLiveness();
    service.checkLiveness();
    service.checkBuilder();
    service.echo('hello');
    await service.checkLogging();
    failure = new UndeliveredError('no space');
    await service.checkLogging().catch(() => undefined);
    await service.checkLogging().catch(() => undefined);
    expect(await counts()).toEqual([
      ['operation', 'success', 1],
      ['liveness', 'success', 2],
      ['builder', 'success', 1],
      ['logging', 'success', 1],
      ['echo', 'success', 1],
      ['logging', 'failure', 2],
    ]);
  });
});
