import { Test } from '@nestjs/testing';
import { SmokeTestController } from './smoke-test.controller.js';
import { SmokeTestService } from './smoke-test.service.js';

describe('SmokeTestController', () => {
  // Each check of the service answers with its own name, so that a mix-up shows.
  const service = {
    checkOperation: () => 'checkOperation',
    checkLiveness: () => 'checkLiveness',
    checkBuilder: () => 'checkBuilder',
    checkLogging: () => 'checkLogging',
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
    (check) => {
      expect(controller[check]()).toBe(check);
    },
  );

  it('hands the ping of the body to the service', () => {
    expect(controller.echo({ ping: 'hello' })).toBe('echo hello');
  });
});
