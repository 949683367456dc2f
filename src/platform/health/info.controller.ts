import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MonitoringRoutes } from '../http/monitoring-routes.decorator.js';
import { SkipRequestLog } from '../http/skip-request-log.decorator.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings/settings.js';
import { InfoResponseDto } from './dto/info-response.dto.js';

@ApiTags('System Health')
@MonitoringRoutes()
@Controller('system/info')
export class InfoController {
  constructor(private readonly settings: Settings) {}

  @Get()
  @SkipRequestLog()
  @ApiOperation({
    operationId: 'getInfo',
    summary: 'Get the version of the service',
    description:
      'The version and commit that are running, and since when. Deployment pipelines use it to find out whether a new version is live.',
  })
  @ApiOkResponse({ description: 'The version that is running.', type: InfoResponseDto })
  getInfo(): InfoResponseDto {
    return {
      name: packageInfo.name,
      version: packageInfo.version,
      revision: this.settings.GIT_REVISION,
      node: process.version,
      startedAt: new Date(performance.timeOrigin).toISOString(),
      uptimeSeconds: Math.floor(process.uptime()),
    };
  }
}
