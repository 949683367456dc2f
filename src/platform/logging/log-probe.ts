import { Injectable } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import { Settings } from '../settings/settings.js';
import { LogDestination } from './log-destination.js';

/** Verifies that log records are delivered. */
@Injectable()
export class LogProbe {
  constructor(
    private readonly logger: PinoLogger,
    private readonly destination: LogDestination,
    private readonly settings: Settings,
  ) {}

  /**
   * Logs one record at level info, regardless of `LOG_LEVEL`. Resolves when it has been written to the
   * destination.
   *
   * @throws LogDeliveryError with the reason, if it has not been written within `LOG_PROBE_TIMEOUT_MS`
   */
  async deliver(fields: Record<string, string>, message: string): Promise<void> {
    const logger = this.logger.logger.child({}, { level: 'info' });
    await this.destination.confirmDelivery(() => {
      logger.info(fields, message);
    }, this.settings.LOG_PROBE_TIMEOUT_MS);
  }
}
