import { Injectable } from '@nestjs/common';
import { LogDestination } from '../logging/log-destination.js';
import { Settings } from '../settings/settings.js';
import { ReadinessCheck, type ReadinessIndicator } from './readiness-check.decorator.js';

/** Reports `down` while log records cannot be written. Logs nothing itself. */
@Injectable()
@ReadinessCheck({ name: 'log', optional: true })
export class LogIndicator implements ReadinessIndicator {
  constructor(
    private readonly destination: LogDestination,
    private readonly settings: Settings,
  ) {}

  check(): undefined {
    const { lastError, oldestUnwrittenMs, backlogBytes } = this.destination.getState();
    if (lastError !== undefined) {
      throw new Error(`The log destination rejects records: ${lastError}`);
    }
    if (oldestUnwrittenMs > this.settings.LOG_PROBE_TIMEOUT_MS) {
      throw new Error(
        `The log destination has not accepted a record for ${Math.round(oldestUnwrittenMs)} ms, ${backlogBytes} bytes are not yet written`,
      );
    }
  }
}
