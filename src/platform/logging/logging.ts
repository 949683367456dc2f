import { type DynamicModule, type LoggerService, Module } from '@nestjs/common';
import { Logger, LoggerModule, type Params, PinoLogger } from 'nestjs-pino';
import { pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { Settings } from '../settings.js';
import { packageInfo } from '../package-info.js';
import { LogDestination } from './log-destination.js';
import { LogProbe } from './log-probe.js';
import { requestFields, requestLog, withoutRequest } from './request-log.js';

/** The log, as the parts of the application want it. */
export interface Logging {
  /** For Nest itself: its start-up lines, and every `Logger` of a feature. */
  logger: LoggerService;
  /** For the requests: writes the record of each. */
  logRequest: ReturnType<typeof requestLog>;
  /**
   * For injection: `PinoLogger`, {@link LogProbe} and {@link LogDestination}. A request's fields come
   * from {@link requestFields}, so `PinoLogger.assign` is not to be had.
   */
  module: DynamicModule;
}

@Module({})
class LoggingModule {}

/** An error without its own properties, of which some hold what a client sent. */
function describeError(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('stack' in error)) return error;
  const { type, message, stack, code } = stdSerializers.err(error as Error);
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}

/**
 * Makes the application's log: one JSON object a line, with `level` as a word, `time` in ISO 8601,
 * `msg`, `service` and `version`, and an error under `err` with its stack.
 */
export function createLogging(settings: Settings, destination: LogDestination): Logging {
  const root = pino(
    {
      level: settings.LOG_LEVEL,
      base: { service: packageInfo.name, version: packageInfo.version },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      // Not by a child logger for each request: most requests write nothing.
      mixin: requestFields,
    },
    destination,
  );
  destination.on('recover', (dropped) => {
    withoutRequest(() => {
      root
        .child({ context: LogDestination.name }, { level: 'warn' })
        .warn({ dropped }, 'Log records were dropped: the log backlog was full');
    });
  });
  // No routes for the module's own middleware: requestContext() is in its place. Nor its serializers.
  const params: Params = { pinoHttp: { logger: root, wrapSerializers: false }, forRoutes: [] };
  const pinoLogger = new PinoLogger(params);
  return {
    logger: new Logger(pinoLogger, params),
    logRequest: requestLog(root),
    module: {
      module: LoggingModule,
      global: true,
      imports: [LoggerModule.forRoot(params)],
      providers: [{ provide: LogDestination, useValue: destination }, LogProbe],
      exports: [LogDestination, LogProbe],
    },
  };
}
