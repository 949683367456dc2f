import { Injectable } from '@nestjs/common';
import { Counter, Registry } from 'prom-client';
import { getLiveness } from '../../platform/health/liveness.js';
import { LogProbe } from '../../platform/logging/log-probe.js';
import type { BuilderResponseDto } from './dto/builder-response.dto.js';
import type { EchoResponseDto } from './dto/echo-response.dto.js';
import type { LivenessResponseDto } from './dto/liveness-response.dto.js';
import type { LoggingResponseDto } from './dto/logging-response.dto.js';
import type { OperationalResponseDto } from './dto/operational-response.dto.js';

/** The five smoke checks. */
@Injectable()
export class SmokeTestService {
  private readonly counter: Counter<'check' | 'outcome'>;

  constructor(
    private readonly logProbe: LogProbe,
    registry: Registry,
  ) {
    this.counter = new Counter({
      name: 'petsage_smoke_test_total',
      help: 'Smoke checks, by check and outcome.',
      labelNames: ['check', 'outcome'],
      registers: [registry],
    });
    // Series exist from the start, so that the first failure is an increase.
    for (const check of ['operation', 'liveness', 'builder', 'logging', 'echo']) {
      this.counter.inc({ check, outcome: 'success' }, 0);
    }
    this.counter.inc({ check: 'logging', outcome: 'failure' }, 0);
  }

  /** System A: the service is operational. */
  checkOperation(): OperationalResponseDto {
    this.count('operation');
    return {
      status: 'ok',
      message: 'PetSage Smoke Test: Service is operational.',
      timestamp: new Date().toISOString(),
    };
  }

  /** System B: the process is alive. */
  checkLiveness(): LivenessResponseDto {
    this.count('liveness');
    return getLiveness();
  }

  /** System C: the feature mechanism works. */
  checkBuilder(): BuilderResponseDto {
    this.count('builder');
    return { status: 'ok', feature: 'smoke_test', message: 'PetSage builder is functional!' };
  }

  /**
   * System D: log records are delivered. Each call logs exactly one record.
   *
   * @throws LogDeliveryError with the reason
   */
  async checkLogging(): Promise<LoggingResponseDto> {
    try {
      await this.logProbe.deliver(
        {
          context: SmokeTestService.name,
          event: 'smoke_test_executed',
          status: 'success',
          details: 'Log pipeline verification.',
        },
        'Executing PetSage smoke test.',
      );
    } catch (error) {
      this.count('logging', 'failure');
      throw error;
    }
    this.count('logging');
    return {
      status: 'ok',
      message: 'PetSage service is running and logging is operational.',
      timestamp: new Date().toISOString(),
    };
  }

  /**
   * System E: a request body is received and sent back.
   *
   * @param ping any text. It is returned unchanged and never logged
   */
  echo(ping: string): EchoResponseDto {
    this.count('echo');
    return {
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: ping,
      timestamp: new Date().toISOString(),
    };
  }

  private count(check: string, outcome = 'success'): void {
    this.counter.inc({ check, outcome });
  }
}
