import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { SmokeTestService } from './smoke-test.service.js';

describe('SmokeTestService', () => {
  const service = new SmokeTestService();

  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-01-31T12:00:00.123Z') });
  });

  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('checks operation with the time of the answer', () => {
    expect(service.checkOperation()).toEqual({
      status: 'ok',
      message: 'PetSage Smoke Test: Service is operational.',
      timestamp: '2026-01-31T12:00:00.123Z',
    });
  });

  it('checks liveness', () => {
    expect(service.checkLiveness()).toEqual({
      status: 'ok',
      message: 'PetSage API is alive and running!',
    });
  });

  it('checks the builder', () => {
    expect(service.checkBuilder()).toEqual({
      status: 'ok',
      feature: 'smoke_test',
      message: 'PetSage builder is functional!',
    });
  });

  it('checks logging by one record', () => {
    const log = jest.spyOn(Logger.prototype, 'log').mockReturnValue(undefined);
    expect(service.checkLogging()).toEqual({
      status: 'ok',
      message: 'PetSage service is running and logging is operational.',
      timestamp: '2026-01-31T12:00:00.123Z',
    });
    expect(log.mock.calls).toEqual([
      [
        {
          event: 'smoke_test_executed',
          status: 'success',
          details: 'Log pipeline verification.',
        },
        'Executing PetSage smoke test.',
      ],
    ]);
  });

  it('echoes a text and does not log it', () => {
    const log = jest.spyOn(Logger.prototype, 'log').mockReturnValue(undefined);
    expect(service.echo('🐕\u0000')).toEqual({
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: '🐕\u0000',
      timestamp: '2026-01-31T12:00:00.123Z',
    });
    expect(log).not.toHaveBeenCalled();
  });
});
