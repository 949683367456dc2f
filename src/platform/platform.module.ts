import { type DynamicModule, Module } from '@nestjs/common';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { Lifecycle } from './lifecycle/lifecycle.js';
import { Settings } from './settings.js';

/** What {@link createApp} creates before the Nest application. */
export interface PlatformOptions {
  settings: Settings;
  lifecycle: Lifecycle;
  logging: DynamicModule;
}

/** Imports the platform's modules and provides {@link PlatformOptions} to all modules. */
@Module({})
export class PlatformModule {
  static forRoot({ settings, lifecycle, logging }: PlatformOptions): DynamicModule {
    return {
      module: PlatformModule,
      global: true,
      imports: [logging, HttpModule, HealthModule],
      providers: [
        { provide: Settings, useValue: settings },
        { provide: Lifecycle, useValue: lifecycle },
      ],
      exports: [Settings, Lifecycle],
    };
  }
}
