import { Global, Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { HealthModule } from '../health/health.module.js';
import { MetricsController } from './metrics.controller.js';
import { createRegistry, MetricsService } from './metrics.service.js';

/** Serves `/metrics`. Features inject prom-client's `Registry` to register their own metrics. */
@Global()
@Module({
  imports: [HealthModule],
  controllers: [MetricsController],
  providers: [{ provide: Registry, useFactory: createRegistry }, MetricsService],
  exports: [Registry],
})
export class MetricsModule {}
