import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  Res,
} from '@nestjs/common';
import type { Response } from 'express';
import request from 'supertest';
import { shutDown } from '../../src/platform/lifecycle/shutdown.js';
import { parseSettings } from '../../src/platform/settings/parse-settings.js';
import { createTestApp } from '../fixtures/app.js';
import { waitFor } from '../fixtures/wait-for.js';

const calls: string[] = [];
const open: Response[] = [];

@Injectable()
class PoolService
  implements
    OnModuleInit,
    OnApplicationBootstrap,
    OnModuleDestroy,
    BeforeApplicationShutdown,
    OnApplicationShutdown
{
  async onModuleInit(): Promise<void> {
    await Promise.resolve();
    calls.push('onModuleInit');
  }

  onApplicationBootstrap(): void {
    calls.push('onApplicationBootstrap');
  }

  onModuleDestroy(): void {
    calls.push('onModuleDestroy');
  }

  beforeApplicationShutdown(signal?: string): void {
    calls.push(`beforeApplicationShutdown ${signal}`);
  }

  onApplicationShutdown(signal?: string): void {
    calls.push(`onApplicationShutdown ${signal}`);
  }
}

@Controller('pool')
class PoolController {
  @Get()
  read(@Res() response: Response): void {
    open.push(response);
  }
}

@Module({ controllers: [PoolController], providers: [PoolService] })
class PoolModule {}

describe('the lifecycle hooks of a feature', () => {
  it('are called in the order of Nest, the last three after the last request', async () => {
    const { app } = await createTestApp({
      features: [PoolModule],
      prepare: () => {
        calls.push('prepare');
      },
    });
    calls.push('listening');
    const received = request(app.getHttpServer()).get('/pool').expect(200, { ok: true });
    const completed = received.then(() => calls.push('response'));
    await waitFor(() => open.length > 0);
    const settings = { SHUTDOWN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: '600000' };
    const stopped = shutDown(app, parseSettings(settings).settings, 'SIGTERM');
    await waitFor(() => !(app.getHttpServer() as { listening: boolean }).listening);
    expect(calls).not.toContain('onModuleDestroy');
    open[0]?.json({ ok: true });
    await Promise.all([completed, stopped]);
    expect(calls.filter((call) => call !== 'response')).toEqual([
      'prepare',
      'onModuleInit',
      'onApplicationBootstrap',
      'listening',
      'onModuleDestroy',
      'beforeApplicationShutdown SIGTERM',
      'onApplicationShutdown SIGTERM',
    ]);
  });
});
