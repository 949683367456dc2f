import { type ModuleMetadata, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import type { Optimizations } from './fast-express/fast-express.adapter.js';
import { setupDocs } from './platform/docs/docs.js';
import { ApiAdapter } from './platform/http/api.adapter.js';
import { getRequestFields } from './platform/http/request-context.js';
import type { LogDestination } from './platform/logging/log-destination.js';
import { createLogger, createNestLogger } from './platform/logging/logger.js';
import type { FeatureSettings } from './platform/settings/parse-settings.js';
import type { Settings } from './platform/settings/settings.js';

export interface AppOptions {
  log: LogDestination;
  /** The modules of the features. The smoke checks are always part of the application. */
  features: NonNullable<ModuleMetadata['imports']>;
  /** The parsed settings of the features. */
  featureSettings: FeatureSettings;
  /** Folder with the migrations of the database, `migrations` beside this file by default. */
  migrations?: URL;
  /** Creates no providers and controllers, for tools that only read the OpenAPI document. */
  preview?: boolean;
  /** Parts of the HTTP adapter to switch off, for the benchmark. */
  optimizations?: Partial<Optimizations>;
}

/**
 * Creates the application for production, tests and tools alike. The caller calls `init()` or `listen()`.
 * `MANAGEMENT_PORT` is already open, until the caller calls `close()`.
 */
export async function createApp(
  settings: Settings,
  {
    log,
    features,
    featureSettings,
    migrations = new URL('./migrations/', import.meta.url),
    preview = false,
    optimizations,
  }: AppOptions,
): Promise<NestExpressApplication> {
  // Nest takes the logger and the adapter as arguments, and creates everything else.
  const logger = createLogger(settings, log, getRequestFields);
  const adapter = new ApiAdapter(settings, optimizations);
  const creationFailed = new AbortController();
  const platformOptions = { settings, featureSettings, log, logger, migrations };
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.forRoot(features, platformOptions, creationFailed.signal),
    adapter,
    {
      abortOnError: false,
      preview,
      bodyParser: false,
      logger: createNestLogger(logger),
      routeConflictPolicy: { duplicate: 'error' },
    },
  ).catch((error: unknown) => {
    creationFailed.abort();
    throw error;
  });
  app.enableVersioning({ type: VersioningType.URI });
  if (settings.DOCS) {
    adapter.setLastRoutes(() => {
      setupDocs(app, adapter);
    });
  }
  return app;
}
