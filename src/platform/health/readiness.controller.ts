import { Controller, Get, Header, HttpStatus, Res } from '@nestjs/common';
import {
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { Quiet } from '../logging/quiet.decorator.js';
import { NotReadyResponse } from './dto/not-ready-response.dto.js';
import { ReadyResponse } from './dto/ready-response.dto.js';
import { Readiness, type ReadinessReport } from './readiness.service.js';

/** The readiness probe. */
@Controller('system/readyz')
export class ReadinessController {
  constructor(private readonly readiness: Readiness) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @Quiet(HttpStatus.SERVICE_UNAVAILABLE)
  @ApiTags('System Health')
  @ApiOperation({
    summary: 'Tell whether the service is ready',
    description:
      'The readiness probe, for load balancers and Kubernetes: 503 means that no requests are to be sent here for now. The answer has the names and the states of the checks; the reason why one is down is in the log.',
  })
  @ApiOkResponse({ description: 'The service is ready for requests.', type: ReadyResponse })
  @ApiServiceUnavailableResponse({
    description: 'A check is down, or the service drains because it was told to stop.',
    type: NotReadyResponse,
  })
  async getReadiness(@Res({ passthrough: true }) response: Response): Promise<ReadinessReport> {
    const report = await this.readiness.report();
    if (report.status === 'error' || report.status === 'draining') {
      response.status(HttpStatus.SERVICE_UNAVAILABLE);
    }
    return report;
  }
}
