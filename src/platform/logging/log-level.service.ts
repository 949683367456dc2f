import { Logger } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import type { Logger as Pino } from 'pino';

/** Changes the log level at run time. */
export class LogLevelService {
  private readonly logger = new Logger(LogLevelService.name);
  private readonly initialLevel: string;

  /** @param pino the application's logger, whose level is `LOG_LEVEL` */
  constructor(private readonly pino: Pino) {
    this.initialLevel = pino.level;
  }

  /** Switches between `LOG_LEVEL` and `debug`. Changes nothing if `LOG_LEVEL` is `debug` or `trace`. */
  toggleDebug(): void {
    const { initialLevel } = this;
    if (initialLevel === 'debug' || initialLevel === 'trace') {
      this.logger.log(`The log level stays ${initialLevel}, which includes debug records`);
    } else if (this.pino.level === 'debug') {
      // Before the change, because the new level may exclude it.
      this.logger.log(`The log level changes to ${initialLevel}`);
      this.setLevel(initialLevel);
    } else {
      this.setLevel('debug');
      this.logger.log('The log level changes to debug');
    }
  }

  private setLevel(level: string): void {
    this.pino.level = level;
    // nestjs-pino logs with a child, which has a level of its own.
    PinoLogger.root.level = level;
  }
}
