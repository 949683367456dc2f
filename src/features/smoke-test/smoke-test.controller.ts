import { Body, Controller, Get, HttpCode, Post, ServiceUnavailableException } from '@nestjs/common';
import {
  ApiExtension,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { HttpErrorDto } from '../../platform/http/error-response.dto.js';
import { MonitoringRoutes } from '../../platform/http/monitoring-routes.decorator.js';
import { LogDeliveryError } from '../../platform/logging/log-destination.js';
import { SkipRequestLog } from '../../platform/http/skip-request-log.decorator.js';
import { BuilderResponseDto } from './dto/builder-response.dto.js';
import { EchoRequestDto } from './dto/echo-request.dto.js';
import { EchoResponseDto } from './dto/echo-response.dto.js';
import { LivenessResponseDto } from './dto/liveness-response.dto.js';
import { LoggingResponseDto } from './dto/logging-response.dto.js';
import { OperationalResponseDto } from './dto/operational-response.dto.js';
import { SmokeTestService } from './smoke-test.service.js';

/** Serves the smoke checks at the paths of the systems A to E. */
@MonitoringRoutes()
@Controller()
export class SmokeTestController {
  constructor(private readonly smokeTest: SmokeTestService) {}

  @Get('api/v1/smoke-test')
  @SkipRequestLog()
  @ApiTags('Health & Monitoring')
  @ApiOperation({
    operationId: 'checkOperation',
    summary: 'Perform a simple smoke test',
    description:
      'Checks that the service receives and responds to requests. For uptime monitors: any other status than 200 means that clients are not served.',
  })
  @ApiOkResponse({ description: 'The service is operational.', type: OperationalResponseDto })
  @ApiExtension('x-smoke-test', { now: 'timestamp' })
  checkOperation(): OperationalResponseDto {
    return this.smokeTest.checkOperation();
  }

  @Get('system/healthz')
  @SkipRequestLog()
  @ApiTags('System Health')
  @ApiOperation({
    operationId: 'checkLiveness',
    summary: 'Perform a System Health Check',
    description:
      'The liveness probe. It depends on nothing outside the process. If it fails, restart the process.',
  })
  @ApiOkResponse({ description: 'The process is alive.', type: LivenessResponseDto })
  checkLiveness(): LivenessResponseDto {
    return this.smokeTest.checkLiveness();
  }

  @Get('smoke-test')
  @SkipRequestLog()
  @ApiTags('System Health')
  @ApiOperation({
    operationId: 'checkBuilder',
    summary: 'Perform a System Smoke Test',
    description:
      'Verifies that generated features work. For deployment pipelines, after a deployment.',
  })
  @ApiOkResponse({ description: 'Generated features work.', type: BuilderResponseDto })
  checkBuilder(): BuilderResponseDto {
    return this.smokeTest.checkBuilder();
  }

  @Get('v1/health/smoke-test')
  @SkipRequestLog()
  @ApiTags('Health & Monitoring')
  @ApiOperation({
    operationId: 'checkLogging',
    summary: 'Perform a System Smoke Test',
    description:
      'Logs the record `Executing PetSage smoke test.`, with the `X-Request-Id` of the response as `requestId`, and returns 200 when the record has been written to the log destination. For monitors of the log pipeline: search for the record where the logs are stored.',
  })
  @ApiOkResponse({ description: 'The record has been written.', type: LoggingResponseDto })
  @ApiExtension('x-smoke-test', {
    now: 'timestamp',
    logs: { event: 'smoke_test_executed', service: 'petsage-api', status: 'success' },
  })
  @ApiServiceUnavailableResponse({
    description:
      'The record has not been written: the log destination rejected it or did not accept it within `LOG_PROBE_TIMEOUT_MS`, or the record was dropped because the backlog is full. The detail says which.',
    type: HttpErrorDto,
    example: { detail: 'The log destination rejected the record: ENOSPC' },
  })
  async checkLogging(): Promise<LoggingResponseDto> {
    try {
      return await this.smokeTest.checkLogging();
    } catch (error) {
      if (error instanceof LogDeliveryError) {
        throw new ServiceUnavailableException(error.message, { cause: error });
      }
      throw error;
    }
  }

  @Post('api/v1/system/smoke-test')
  @HttpCode(200)
  @SkipRequestLog()
  @ApiTags('System Health')
  @ApiOperation({
    operationId: 'echo',
    summary: 'Perform a simple smoke test',
    description:
      'Returns the text of `ping` unchanged in `pong`. Verifies that request bodies are received and sent back.',
  })
  @ApiOkResponse({ description: 'The text of `ping`.', type: EchoResponseDto })
  @ApiExtension('x-smoke-test', { now: 'timestamp', echo: { ping: 'pong' } })
  echo(@Body() { ping }: EchoRequestDto): EchoResponseDto {
    return this.smokeTest.echo(ping);
  }
}
