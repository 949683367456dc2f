import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from 'pino';
import { HealthModule } from './health/health.module.js';
import { HeaderPropagationService } from './http/header-propagation.service.js';
import { HttpModule } from './http/http.module.js';
import { RequestTracker } from './http/request-tracker.js';
import { ConnectionTracker } from './lifecycle/connection-tracker.js';
import { LifecycleService } from './lifecycle/lifecycle.service.js';
import type { LogDestination } from './logging/log-destination.js';
import { LoggingModule } from './logging/logging.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { FeatureSettings } from './settings/parse-settings.js';
import { Settings } from './settings/settings.js';

/** Objects that `createApp()` creates before the Nest application. */
export interface PlatformOptions {
  settings: Settings;
  featureSettings: FeatureSettings;
  logger: Logger;
  log: LogDestination;
  lifecycle: LifecycleService;
  connections: ConnectionTracker;
  requests: RequestTracker;
}

/** Imports the modules of the platform, and provides {@link PlatformOptions} to all modules. */
@Module({})
export class PlatformModule {
  static forRoot(options: PlatformOptions): DynamicModule {
    const { settings, featureSettings, logger, log, lifecycle, connections, requests } = options;
    return {
      module: PlatformModule,
      global: true,
      imports: [
        LoggingModule.forRoot(logger, log),
        HttpModule,
        HealthModule,
        MetricsModule.forRoot(settings),
      ],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: FeatureSettings, useValue: featureSettings },
        { provide: LifecycleService, useValue: lifecycle },
        { provide: ConnectionTracker, useValue: connections },
        { provide: RequestTracker, useValue: requests },
        HeaderPropagationService,
      ],
      exports: [
        Settings,
        FeatureSettings,
        LifecycleService,
        ConnectionTracker,
        RequestTracker,
        HeaderPropagationService,
      ],
    };
  }
}
