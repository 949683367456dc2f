import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { Registry } from 'prom-client';
import { EventLoopIndicator } from './event-loop.indicator.js';
import { InfoController } from './info.controller.js';
import { LogIndicator } from './log.indicator.js';
import { MetricsController } from './metrics.controller.js';
import { createRegistry, Metrics } from './metrics.js';
import { ReadinessController } from './readiness.controller.js';
import { Readiness } from './readiness.service.js';

/**
 * What operators ask the process about itself. Features inject `Registry`, of prom-client, for
 * metrics of their own, and Terminus's `HealthIndicatorService` for their readiness checks.
 */
@Global()
@Module({
  imports: [DiscoveryModule, TerminusModule],
  controllers: [ReadinessController, InfoController, MetricsController],
  providers: [
    { provide: Registry, useFactory: createRegistry },
    Metrics,
    Readiness,
    EventLoopIndicator,
    LogIndicator,
  ],
  exports: [Registry, TerminusModule],
})
export class HealthModule {}
