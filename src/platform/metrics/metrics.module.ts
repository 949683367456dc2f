import { type DynamicModule, Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { HealthModule } from '../health/health.module.js';
import type { Settings } from '../settings/settings.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsServer } from './metrics.server.js';
import { createRegistry, MetricsService } from './metrics.service.js';

/**
 * Serves `/metrics`, on `METRICS_PORT` if it is set. Features inject prom-client's `Registry` to register
 * their own metrics.
 */
@Module({})
export class MetricsModule {
  static forRoot({ METRICS_PORT }: Settings): DynamicModule {
    const isMainPort = METRICS_PORT === undefined;
    return {
      module: MetricsModule,
      global: true,
      imports: [HealthModule],
      controllers: isMainPort ? [MetricsController] : [],
      providers: [
        { provide: Registry, useFactory: createRegistry },
        MetricsService,
        ...(isMainPort ? [] : [MetricsServer]),
      ],
      exports: [Registry],
    };
  }
}
