import { type ModuleMetadata, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { setupDocs } from './platform/docs/docs.js';
import { ApiAdapter } from './platform/http/api.adapter.js';
import { createCorsOptions } from './platform/http/cors.js';
import { securityHeaders } from './platform/http/default-headers.js';
import { getRequestFields } from './platform/http/request-context.js';
import { assignRequestId } from './platform/http/request-id.js';
import { RequestTracker } from './platform/http/request-tracker.js';
import { adaptParameterPipes } from './platform/http/validation/parameter-pipes.js';
import { ConnectionTracker } from './platform/lifecycle/connection-tracker.js';
import { LifecycleService } from './platform/lifecycle/lifecycle.service.js';
import type { LogDestination } from './platform/logging/log-destination.js';
import { createLogger, createNestLogger } from './platform/logging/logger.js';
import { createRequestLog } from './platform/http/request-log.js';
import { FeatureSettings } from './platform/settings/parse-settings.js';
import type { Settings } from './platform/settings/settings.js';

export interface AppOptions {
  log: LogDestination;
  /** The modules of the features. The smoke checks are always part of the application. */
  features: NonNullable<ModuleMetadata['imports']>;
  /** The parsed settings of the features. `preview` needs none. */
  featureSettings?: FeatureSettings;
  /** Creates no providers and controllers, for tools that only read the OpenAPI document. */
  preview?: boolean;
}

/** Creates the application for production, tests and tools alike. The caller calls `init()` or `listen()`. */
export async function createApp(
  settings: Settings,
  { log, features, featureSettings = new FeatureSettings(), preview = false }: AppOptions,
): Promise<NestExpressApplication> {
  const logger = createLogger(settings, log, getRequestFields);
  const connections = new ConnectionTracker();
  const lifecycle = new LifecycleService(connections);
  const requests = new RequestTracker(connections);
  requests.onCompleted(createRequestLog(logger));
  const adapter = new ApiAdapter({
    settings,
    lifecycle,
    connections,
    middleware: [assignRequestId, requests.track],
    defaultHeaders: securityHeaders,
    registerLastRoutes: () => {
      if (settings.DOCS) setupDocs(app, adapter);
    },
  });
  adaptParameterPipes();
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.forRoot(features, {
      settings,
      featureSettings,
      logger,
      log,
      lifecycle,
      connections,
      requests,
    }),
    adapter,
    {
      abortOnError: false,
      preview,
      bodyParser: false,
      logger: createNestLogger(logger),
      routeConflictPolicy: { duplicate: 'error' },
    },
  );
  app.enableVersioning({ type: VersioningType.URI });
  if (settings.CORS_ORIGINS !== undefined) {
    app.enableCors(createCorsOptions(settings.CORS_ORIGINS));
  }
  return app;
}
