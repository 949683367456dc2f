import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { HttpAdapter } from './platform/http/adapter.js';
import { crossOrigin } from './platform/http/cors.js';
import { requestId } from './platform/http/request-id.js';
import { docsSecurityHeaders, securityHeaders } from './platform/http/security.js';
import { Lifecycle } from './platform/lifecycle/lifecycle.js';
import type { LogDestination } from './platform/logging/log-destination.js';
import { createLogging } from './platform/logging/logging.js';
import { quietDocument, requestContext } from './platform/logging/request-log.js';
import { serveDocument } from './platform/openapi.js';
import type { Settings } from './platform/settings.js';

/**
 * Creates the application for production, tests and tools alike. The caller calls `init()` or
 * `listen()`.
 *
 * @param log destination of the log
 * @throws Error that names the file and what to do, when a feature is invalid
 */
export async function createApp(
  settings: Settings,
  { log }: { log: LogDestination },
): Promise<NestExpressApplication> {
  const logging = createLogging(settings, log);
  const lifecycle = new Lifecycle();
  lifecycle.connections.onEnd(logging.logRequest);
  const adapter = new HttpAdapter({
    bodyLimit: settings.BODY_LIMIT,
    trustProxy: settings.TRUST_PROXY,
    lifecycle,
    first: [requestId, requestContext, lifecycle.connections.track],
    standingHeaders: securityHeaders,
    addLastRoutes: () => {
      app.use(['/docs', '/openapi.json', '/openapi.yaml'], quietDocument);
      app.use('/docs', docsSecurityHeaders);
      serveDocument(app);
    },
  });
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.forRoot({ settings, lifecycle, logging: logging.module }),
    adapter,
    {
      abortOnError: false,
      bodyParser: false,
      logger: logging.logger,
      routeConflictPolicy: { duplicate: 'error' },
    },
  );
  if (settings.CORS_ORIGINS !== undefined) app.enableCors(crossOrigin(settings.CORS_ORIGINS));
  return app;
}
