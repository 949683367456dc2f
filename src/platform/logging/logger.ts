import { AsyncResource } from 'node:async_hooks';
import { type LoggerService } from '@nestjs/common';
import { MESSAGES } from '@nestjs/core/constants.js';
import { Logger as NestLogger, type Params, PinoLogger } from 'nestjs-pino';
import { type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { packageInfo } from '../package-info.js';
import type { Settings } from '../settings/settings.js';
import { LogDestination } from './log-destination.js';

/**
 * Creates the application's pino logger. Each record is one line of JSON with `level` as a word, `time`
 * in ISO 8601, `msg`, `service`, `version`, the fields of the current request, and an error under `err`.
 *
 * @param getRequestFields returns the fields of the current request
 */
export function createLogger(
  settings: Settings,
  destination: LogDestination,
  getRequestFields: () => object,
): Logger {
  const logger = pino(
    {
      level: settings.LOG_LEVEL,
      base: { service: packageInfo.name, version: packageInfo.version },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
      // Cheaper than a child logger per request, as most requests log nothing.
      mixin: getRequestFields,
    },
    destination,
  );
  destination.on(
    'recover',
    // The record belongs to no request, although the event can be emitted during one.
    AsyncResource.bind((dropped) => {
      logger
        .child({ context: LogDestination.name }, { level: 'warn' })
        .warn({ dropped }, 'Log records were dropped because the backlog was full');
    }),
  );
  return logger;
}

/** Returns the options of nestjs-pino. Its own request middleware is not used: see `assignRequestId()`. */
export function getPinoOptions(logger: Logger): Params {
  return { pinoHttp: { logger, wrapSerializers: false }, forRoutes: [] };
}

/** Creates Nest's logger, which logs start-up messages and the records of every `Logger`. */
export function createNestLogger(logger: Logger): LoggerService {
  const options = getPinoOptions(logger);
  return new ApplicationLogger(new PinoLogger(options), options);
}

/** Omits Nest's message that the application has started: it is logged before the service listens. */
class ApplicationLogger extends NestLogger {
  override log(message: unknown, ...optionalParams: unknown[]): void {
    if (message !== MESSAGES.APPLICATION_READY) super.log(message, ...optionalParams);
  }
}

/** Omits an error's own properties, some of which contain what a client sent. */
function serializeError(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('stack' in error)) return error;
  const { type, message, stack, code } = stdSerializers.err(error as Error);
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}
