import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Quiet } from '../logging/quiet.decorator.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings.js';
import { InfoResponse } from './dto/info-response.dto.js';

/** Which build it is that answers. */
@Controller('system/info')
export class InfoController {
  constructor(private readonly settings: Settings) {}

  @Get()
  @Header('Cache-Control', 'no-store')
  @Quiet()
  @ApiTags('System Health')
  @ApiOperation({
    summary: 'Tell what runs here',
    description:
      'The version and the commit that answer, and since when. For deployment pipelines, which want to know whether the new version is up.',
  })
  @ApiOkResponse({ description: 'What runs.', type: InfoResponse })
  getInfo(): InfoResponse {
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
