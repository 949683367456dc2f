import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { settings } from './platform/config.js';
import { HttpAdapter } from './platform/http/adapter.js';
import { rejectMalformed } from './platform/http/malformed.js';
import { requestId } from './platform/http/request-id.js';
import { docsSecurityHeaders, securityHeaders } from './platform/http/security.js';
import type { LogDestination } from './platform/logging/log-destination.js';
import { createLogging } from './platform/logging/logging.js';
import { openLog } from './platform/logging/open-log.js';
import { quietDocument } from './platform/logging/request-log.js';
import { serveDocument } from './platform/openapi.js';

/**
 * Builds the application, the same one for production, tests and tools. `listen()` or `init()` is
 * the caller's.
 *
 * @param options.log where the log goes; what the settings say unless it is given
 * @throws Error that says what to do, when a setting or a feature's folder is wrong
 */
export async function createApp(
  options: { log?: LogDestination } = {},
): Promise<NestExpressApplication> {
  const logging = createLogging(settings, options.log ?? (await openLog(settings)));
  const first = [requestId, logging.requestLog, securityHeaders];
  const adapter = new HttpAdapter(settings.BODY_LIMIT, first);
  const app = await NestFactory.create<NestExpressApplication>(
    { module: AppModule, imports: [logging.module] },
    adapter,
    {
      abortOnError: false,
      bodyParser: false,
      logger: logging.logger,
      routeConflictPolicy: { duplicate: 'error' },
    },
  );
  app.use(rejectMalformed);
  app.use(['/docs', '/openapi.json', '/openapi.yaml'], quietDocument);
  app.use('/docs', docsSecurityHeaders);
  serveDocument(app);
  return app;
}
