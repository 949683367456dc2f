import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import type { DestinationStream } from 'pino';
import { AppModule } from './app.module.js';
import type { Config } from './platform/config.js';
import { HttpAdapter } from './platform/http/adapter.js';
import { loggingModule } from './platform/logging/logging.module.js';
import { serveDocument } from './platform/openapi.js';

/**
 * Builds the application, the same one for production, tests and tools. `listen()` or `init()` is
 * the caller's.
 *
 * @param options.log where the log goes, line by line; standard output unless it is given
 * @throws Error that says what to do, when a setting or a feature's folder is wrong
 */
export async function createApp(
  options: { log?: DestinationStream } = {},
): Promise<NestExpressApplication> {
  const adapter = new HttpAdapter();
  const app = await NestFactory.create<NestExpressApplication>(
    { module: AppModule, imports: [loggingModule(options.log)] },
    adapter,
    {
      abortOnError: false,
      bodyParser: false,
      bufferLogs: true,
      routeConflictPolicy: { duplicate: 'error' },
    },
  );
  app.useLogger(app.get(Logger));
  adapter.setBodyLimit(app.get<Config>(ConfigService).get('BODY_LIMIT', { infer: true }));
  serveDocument(app);
  return app;
}
