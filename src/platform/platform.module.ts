import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { MIGRATIONS_FOLDER } from './database/migration-files.js';
import { HealthModule } from './health/health.module.js';
import { PlatformHttpModule } from './http/platform-http.module.js';
import { LifecycleModule } from './lifecycle/lifecycle.module.js';
import type { LogDestination } from './logging/log-destination.js';
import { LoggingModule } from './logging/logging.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { FeatureSettings } from './settings/parse-settings.js';
import { Settings } from './settings/settings.js';

/** Objects that exist before the Nest application. */
export interface PlatformOptions {
  settings: Settings;
  featureSettings: FeatureSettings;
  log: LogDestination;
  logger: Logger;
  /** Folder with the migrations of the database. Read only if a feature imports `DatabaseModule`. */
  migrations: URL;
}

/** Imports the modules of the platform, and exports what features and these modules inject. */
@Module({})
export class PlatformModule {
  static forRoot(options: PlatformOptions): DynamicModule {
    const { settings, featureSettings, log, logger, migrations } = options;
    return {
      module: PlatformModule,
      global: true,
      imports: [
        LoggingModule.forRoot(logger, log),
        LifecycleModule,
        PlatformHttpModule,
        HealthModule,
        MetricsModule.forRoot(settings),
      ],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: FeatureSettings, useValue: featureSettings },
        { provide: MIGRATIONS_FOLDER, useValue: migrations },
      ],
      exports: [Settings, FeatureSettings, MIGRATIONS_FOLDER, LifecycleModule, PlatformHttpModule],
    };
  }
}
