import { ServiceUnavailableException } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { jest } from '@jest/globals';
import { UndeliveredError } from '../../platform/logging/log-destination.js';
import { SmokeTestController } from './smoke-test.controller.js';
import { SmokeTestService } from './smoke-test.service.js';

describe('SmokeTestController', () => {
  // Each method of the service returns its own name, so that a wrong call fails the test.
  const service = {
    checkOperation: () => 'checkOperation',
    checkLiveness: () => 'checkLiveness',
    checkBuilder: () => 'checkBuilder',
    checkLogging: () => Promise.resolve('checkLogging'),
    echo: (ping: string) => `echo ${ping}`,
  };
  let controller: SmokeTestController;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      controllers: [SmokeTestController],
      providers: [{ provide: SmokeTestService, useValue: service }],
    }).compile();
    controller = module.get(SmokeTestController);
  });

  it.each(['checkOperation', 'checkLiveness', 'checkBuilder', 'checkLogging'] as const)(
    'returns the result of the service for %s',
    async (method) => {
      expect(await controller[method]()).toBe(method);
    },
  );

  it('responds with 503 and the reason when the log record is not delivered', async () => {
    jest.spyOn(service, 'checkLogging').mockRejectedValueOnce(new UndeliveredError('no space'));
    await expect(controller.checkLogging()).rejects.toEqual(
      new ServiceUnavailableException('no space'),
    );
  });

  it('passes other errors on to the error filter', async () => {
    const error = new Error('unforeseen');
    jest.spyOn(service, 'checkLogging').mockRejectedValueOnce(error);
    await expect(controller.checkLogging()).rejects.toBe(error);
  });

  it('passes the ping of the body to the service', () => {
    expect(controller.echo({ ping: 'hello' })).toBe('echo hello');
  });
});
