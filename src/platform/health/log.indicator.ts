import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Settings } from '../config.js';
import { LogDestination } from '../logging/log-destination.js';
import { ReadinessCheck, type ReadinessIndicator } from './readiness-check.decorator.js';

/** Whether the log takes what is logged. It only looks: the check itself logs nothing. */
@Injectable()
@ReadinessCheck({ name: 'log' })
export class LogIndicator implements ReadinessIndicator {
  private readonly timeoutMs: number;

  constructor(
    private readonly destination: LogDestination,
    config: ConfigService<Settings, true>,
  ) {
    this.timeoutMs = config.get('LOG_PROBE_TIMEOUT_MS', { infer: true });
  }

  check(): undefined {
    const { lastError, oldestUnwrittenMs, backlog } = this.destination.state();
    if (lastError !== undefined) {
      throw new Error(`The log's destination refuses records: ${lastError}`);
    }
    if (oldestUnwrittenMs > this.timeoutMs) {
      throw new Error(
        `The log's destination has not taken a record for ${Math.round(oldestUnwrittenMs)} ms; ${backlog} bytes wait`,
      );
    }
  }
}
