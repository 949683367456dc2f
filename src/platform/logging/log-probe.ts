import { Injectable } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import { Settings } from '../settings.js';
import { LogDestination } from './log-destination.js';

/** Writes log records that prove that the log works. */
@Injectable()
export class LogProbe {
  constructor(
    private readonly logger: PinoLogger,
    private readonly destination: LogDestination,
    private readonly settings: Settings,
  ) {}

  /**
   * Writes one record at level info, whatever `LOG_LEVEL` is, and resolves when it has left the
   * process.
   *
   * @param fields what the record holds beside what every record does
   * @param message its `msg`
   * @throws LogDeliveryError when it has not left within `LOG_PROBE_TIMEOUT_MS`, with the reason
   */
  async deliver(fields: Record<string, string>, message: string): Promise<void> {
    const logger = this.logger.logger.child({}, { level: 'info' });
    await this.destination.confirmDelivery(() => {
      logger.info(fields, message);
    }, this.settings.LOG_PROBE_TIMEOUT_MS);
  }
}
