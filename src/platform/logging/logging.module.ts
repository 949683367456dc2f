import type { DynamicModule } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { LoggerModule } from 'nestjs-pino';
import { type DestinationStream, stdTimeFunctions } from 'pino';
import type { Config } from '../config.js';
import { packageInfo } from '../package-info.js';

/**
 * The application's log: one JSON object a line, with the request's id on every record that a
 * request makes. Nest's own `Logger` writes to it too.
 *
 * @param destination where the lines go; standard output unless it is given
 */
export function loggingModule(destination: DestinationStream | undefined): DynamicModule {
  return LoggerModule.forRootAsync({
    inject: [ConfigService],
    useFactory: (config: Config) => ({
      pinoHttp: {
        stream: destination,
        level: config.get('LOG_LEVEL', { infer: true }),
        base: { service: packageInfo.name, version: packageInfo.version },
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        autoLogging: false,
        quietReqLogger: true,
        customAttributeKeys: { reqId: 'requestId' },
      },
    }),
  });
}
