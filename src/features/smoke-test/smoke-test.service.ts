import { Injectable } from '@nestjs/common';
import { Counter, Registry } from 'prom-client';
import { LogProbe } from '../../platform/logging/log-probe.js';
import type { BuilderResponse } from './dto/builder-response.dto.js';
import type { EchoResponse } from './dto/echo-response.dto.js';
import type { LivenessResponse } from './dto/liveness-response.dto.js';
import type { LoggingResponse } from './dto/logging-response.dto.js';
import type { OperationalResponse } from './dto/operational-response.dto.js';

/** What each of the five checks does and says. It knows nothing of HTTP. */
@Injectable()
export class SmokeTestService {
  /** How often each check ended how: a plain count, since a probe asks all the time. */
  private readonly runs = {
    operation: { success: 0 },
    liveness: { success: 0 },
    builder: { success: 0 },
    // The one of the five that can fail and still answer.
    logging: { success: 0, failure: 0 },
    echo: { success: 0 },
  };

  constructor(
    private readonly logProbe: LogProbe,
    registry: Registry,
  ) {
    const { runs } = this;
    new Counter({
      name: 'petsage_smoke_test_total',
      help: 'Smoke tests that were run, by check and outcome.',
      labelNames: ['check', 'outcome'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [check, outcomes] of Object.entries(runs)) {
          for (const [outcome, count] of Object.entries(outcomes)) {
            this.inc({ check, outcome }, count);
          }
        }
      },
    });
  }

  /** System A: the service is operational. */
  checkOperation(): OperationalResponse {
    this.runs.operation.success += 1;
    return {
      status: 'ok',
      message: 'PetSage Smoke Test: Service is operational.',
      timestamp: now(),
    };
  }

  /** System B: the process is alive. It depends on nothing but the process. */
  checkLiveness(): LivenessResponse {
    this.runs.liveness.success += 1;
    return { status: 'ok', message: 'PetSage API is alive and running!' };
  }

  /** System C: the builder of features made a feature that works, this one. */
  checkBuilder(): BuilderResponse {
    this.runs.builder.success += 1;
    return { status: 'ok', feature: 'smoke_test', message: 'PetSage builder is functional!' };
  }

  /**
   * System D: a log record leaves the process. Each call writes exactly one.
   *
   * @throws LogDeliveryError when the record has not left, with the reason
   */
  async checkLogging(): Promise<LoggingResponse> {
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
      this.runs.logging.failure += 1;
      throw error;
    }
    this.runs.logging.success += 1;
    return {
      status: 'ok',
      message: 'PetSage service is running and logging is operational.',
      timestamp: now(),
    };
  }

  /**
   * System E: what goes in comes out.
   *
   * @param ping any text; it is handed back as it is, and never logged
   */
  echo(ping: string): EchoResponse {
    this.runs.echo.success += 1;
    return {
      status: 'ok',
      message: 'PetSage system is operational.',
      pong: ping,
      timestamp: now(),
    };
  }
}

/** The UTC time, ISO 8601 with milliseconds, ending in `Z`. */
function now(): string {
  return new Date().toISOString();
}
