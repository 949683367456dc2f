import { type DynamicModule, Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { HealthModule } from '../health/health.module.js';
import type { Settings } from '../settings/settings.js';
import { MetricsController } from './metrics.controller.js';
import { createRegistry, MetricsService } from './metrics.service.js';

/**
 * Serves `/metrics`, unless `MANAGEMENT_PORT` is set. Features inject prom-client's `Registry` to register
 * their own metrics.
 */
@Module({})
export class MetricsModule {
  static forRoot({ MANAGEMENT_PORT }: Settings): DynamicModule {
    return {
      module: MetricsModule,
      global: true,
      imports: [HealthModule],
      controllers: MANAGEMENT_PORT === undefined ? [MetricsController] : [],
      providers: [{ provide: Registry, useFactory: createRegistry }, MetricsService],
      exports: [Registry],
    };
  }
}
