import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Post,
  ServiceUnavailableException,
} from '@nestjs/common';
import {
  ApiExtension,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { HTTPError } from '../../platform/http/error-responses.dto.js';
import { LogDeliveryError } from '../../platform/logging/log-destination.js';
import { Quiet } from '../../platform/logging/quiet.decorator.js';
import { BuilderResponse } from './dto/builder-response.dto.js';
import { EchoRequest } from './dto/echo-request.dto.js';
import { EchoResponse } from './dto/echo-response.dto.js';
import { LivenessResponse } from './dto/liveness-response.dto.js';
import { LoggingResponse } from './dto/logging-response.dto.js';
import { OperationalResponse } from './dto/operational-response.dto.js';
import { SmokeTestService } from './smoke-test.service.js';

/** The five checks' routes, where the clients of the five systems look for them. */
@Controller()
export class SmokeTestController {
  constructor(private readonly smokeTest: SmokeTestService) {}

  @Get('api/v1/smoke-test')
  @Header('Cache-Control', 'no-store')
  @Quiet()
  @ApiTags('Health & Monitoring')
  @ApiOperation({
    summary: 'Perform a simple smoke test',
    description:
      'Tells whether the service takes requests and answers them, with the time of the answer. For uptime monitors: any answer but 200 means that clients are not being served.',
  })
  @ApiOkResponse({ description: 'The service is operational.', type: OperationalResponse })
  @ApiExtension('x-smoke-test', { now: 'timestamp' })
  checkOperation(): OperationalResponse {
    return this.smokeTest.checkOperation();
  }

  @Get('system/healthz')
  @Header('Cache-Control', 'no-store')
  @Quiet()
  @ApiTags('System Health')
  @ApiOperation({
    summary: 'Perform a System Health Check',
    description:
      'The liveness probe. It depends on nothing outside the process and answers 200 for as long as the process can answer at all: when it fails, restart the process.',
  })
  @ApiOkResponse({ description: 'The process is alive.', type: LivenessResponse })
  checkLiveness(): LivenessResponse {
    return this.smokeTest.checkLiveness();
  }

  @Get('smoke-test')
  @Header('Cache-Control', 'no-store')
  @Quiet()
  @ApiTags('System Health')
  @ApiOperation({
    summary: 'Perform a System Smoke Test',
    description:
      'Tells whether the builder of features makes features that work. For deployment pipelines, right after a deployment.',
  })
  @ApiOkResponse({ description: 'The builder is functional.', type: BuilderResponse })
  checkBuilder(): BuilderResponse {
    return this.smokeTest.checkBuilder();
  }

  @Get('v1/health/smoke-test')
  @Header('Cache-Control', 'no-store')
  @Quiet()
  @ApiTags('Health & Monitoring')
  @ApiOperation({
    summary: 'Perform a System Smoke Test',
    description:
      'Writes one record to the log, `Executing PetSage smoke test.`, which carries the `X-Request-Id` of the response as `requestId`, and answers 200 when that record has really left the process. For monitors of the log pipeline: look for the record where the logs arrive.',
  })
  @ApiOkResponse({ description: 'The record has left the process.', type: LoggingResponse })
  @ApiExtension('x-smoke-test', {
    now: 'timestamp',
    logs: { event: 'smoke_test_executed', service: 'petsage-api', status: 'success' },
  })
  @ApiServiceUnavailableResponse({
    description:
      'The record has not left the process: its destination refused it, did not take it within `LOG_PROBE_TIMEOUT_MS`, or so much waits for it that the record was dropped. The detail says which.',
    type: HTTPError,
    example: { detail: "The log's destination refused the record: ENOSPC" },
  })
  async checkLogging(): Promise<LoggingResponse> {
    try {
      return await this.smokeTest.checkLogging();
    } catch (error) {
      if (error instanceof LogDeliveryError) throw new ServiceUnavailableException(error.message);
      throw error;
    }
  }

  @Post('api/v1/system/smoke-test')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @Quiet()
  @ApiTags('System Health')
  @ApiOperation({
    summary: 'Perform a simple smoke test',
    description:
      'Hands the text in `ping` back in `pong`, unchanged, whatever it is. It tells whether a request body makes the whole way through the service and back.',
  })
  @ApiOkResponse({ description: 'The text came back.', type: EchoResponse })
  @ApiExtension('x-smoke-test', { now: 'timestamp', echo: { ping: 'pong' } })
  echo(@Body() { ping }: EchoRequest): EchoResponse {
    return this.smokeTest.echo(ping);
  }
}
