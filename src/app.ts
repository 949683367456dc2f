import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { settings } from './platform/config.js';
import { HttpAdapter } from './platform/http/adapter.js';
import { crossOrigin } from './platform/http/cors.js';
import { requestId } from './platform/http/request-id.js';
import { docsSecurityHeaders, securityHeaders } from './platform/http/security.js';
import { Lifecycle } from './platform/lifecycle/lifecycle.js';
import { LifecycleModule } from './platform/lifecycle/lifecycle.module.js';
import type { LogDestination } from './platform/logging/log-destination.js';
import { createLogging } from './platform/logging/logging.js';
import { openLog } from './platform/logging/open-log.js';
import { quietDocument, requestContext } from './platform/logging/request-log.js';
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
    { module: AppModule, imports: [logging.module, LifecycleModule.forRoot(lifecycle)] },
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
