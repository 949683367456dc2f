import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { EventLoopIndicator } from './event-loop.indicator.js';
import { InfoController } from './info.controller.js';
import { LogIndicator } from './log.indicator.js';
import { ReadinessController } from './readiness.controller.js';
import { ReadinessService } from './readiness.service.js';

/**
 * Serves `/system/readyz` and `/system/info`. Exports Terminus, whose health indicators features may use
 * in their readiness checks.
 */
@Global()
@Module({
  imports: [DiscoveryModule, TerminusModule],
  controllers: [ReadinessController, InfoController],
  providers: [ReadinessService, EventLoopIndicator, LogIndicator],
  exports: [ReadinessService, TerminusModule],
})
export class HealthModule {}
