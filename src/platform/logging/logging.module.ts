import { type DynamicModule, Module } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { Logger } from 'pino';
import { LogDestination } from './log-destination.js';
import { LogLevelService } from './log-level.service.js';
import { LogProbe } from './log-probe.js';
import { getPinoOptions } from './logger.js';

/**
 * Provides `PinoLogger`, {@link LogProbe}, {@link LogDestination} and {@link LogLevelService} to all
 * modules. `PinoLogger.assign()` is not supported.
 */
@Module({})
export class LoggingModule {
  static forRoot(logger: Logger, destination: LogDestination): DynamicModule {
    return {
      module: LoggingModule,
      global: true,
      imports: [LoggerModule.forRoot(getPinoOptions(logger))],
      providers: [
        { provide: LogDestination, useValue: destination },
        { provide: LogLevelService, useValue: new LogLevelService(logger) },
        LogProbe,
      ],
      exports: [LogDestination, LogLevelService, LogProbe],
    };
  }
}
