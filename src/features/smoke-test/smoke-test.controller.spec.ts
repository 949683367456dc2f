import { ServiceUnavailableException } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { jest } from '@jest/globals';
import { LogDeliveryError } from '../../platform/logging/log-destination.js';
import { SmokeTestController } from './smoke-test.controller.js';
import { SmokeTestService } from './smoke-test.service.js';

describe('SmokeTestController', () => {
  // Each check of the service answers with its own name, so that a mix-up shows.
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
    'leaves %s to the service',
    async (check) => {
      expect(await controller[check]()).toBe(check);
    },
  );

  it('answers 503 with the reason when the record of the check of the log did not leave', async () => {
    jest.spyOn(service, 'checkLogging').mockRejectedValueOnce(new LogDeliveryError('no space'));
    await expect(controller.checkLogging()).rejects.toEqual(
      new ServiceUnavailableException('no space'),
    );
  });

  it('leaves another failure of it to the error filter', async () => {
    const error = new Error('unforeseen');
    jest.spyOn(service, 'checkLogging').mockRejectedValueOnce(error);
    await expect(controller.checkLogging()).rejects.toBe(error);
  });

  it('hands the ping of the body to the service', () => {
    expect(controller.echo({ ping: 'hello' })).toBe('echo hello');
  });
});
