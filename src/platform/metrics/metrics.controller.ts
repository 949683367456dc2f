import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Registry } from 'prom-client';
import { MonitoringRoutes } from '../http/monitoring-routes.decorator.js';
import { SkipRequestLog } from '../http/skip-request-log.decorator.js';

@ApiExcludeController()
@MonitoringRoutes()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly registry: Registry) {}

  /** Returns all metrics in Prometheus's text format. */
  @Get()
  @Header('Cache-Control', 'no-store')
  @Header('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE)
  @SkipRequestLog()
  getMetrics(): Promise<string> {
    return this.registry.metrics();
  }
}
