import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import {
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { MonitoringRoutes } from '../http/monitoring-routes.decorator.js';
import { SkipRequestLog } from '../http/skip-request-log.decorator.js';
import { NotReadyResponseDto } from './dto/not-ready-response.dto.js';
import { ReadyResponseDto } from './dto/ready-response.dto.js';
import { type ReadinessReport, ReadinessService } from './readiness.service.js';

@ApiTags('System Health')
@MonitoringRoutes()
@Controller('system/readyz')
export class ReadinessController {
  constructor(private readonly readiness: ReadinessService) {}

  @Get()
  @SkipRequestLog(HttpStatus.SERVICE_UNAVAILABLE)
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Get the readiness of the service',
    description:
      'The readiness probe, for Kubernetes and load balancers. 503 means that no requests should be sent to this replica. The response contains the state of each check; the reason for a failure is in the log.',
  })
  @ApiOkResponse({ description: 'The service is ready for requests.', type: ReadyResponseDto })
  @ApiServiceUnavailableResponse({
    description: 'A required check is down, or the service is draining.',
    type: NotReadyResponseDto,
  })
  async getReadiness(@Res({ passthrough: true }) response: Response): Promise<ReadinessReport> {
    const report = await this.readiness.getReport();
    if (report.status === 'error' || report.status === 'draining') {
      response.status(HttpStatus.SERVICE_UNAVAILABLE);
    }
    return report;
  }
}
