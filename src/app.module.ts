import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { SmokeTestModule } from './features/smoke-test/smoke-test.module.js';
import { ErrorFilter } from './platform/http/error.filter.js';
import { ManagementModule } from './platform/management/management.module.js';
import { PlatformModule, type PlatformOptions } from './platform/platform.module.js';

/** Imports the platform and every feature. */
@Module({
  // Also imported when the features are chosen: without the smoke checks, start-up fails.
  imports: [SmokeTestModule],
  // Here, because Nest scans this module first, and the filter that is registered last takes precedence.
  providers: [{ provide: APP_FILTER, useClass: ErrorFilter }],
})
export class AppModule {
  static forRoot(
    features: NonNullable<ModuleMetadata['imports']>,
    options: PlatformOptions,
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        // First, so that Nest calls its shutdown hook last.
        ManagementModule.forRoot(options.settings),
        PlatformModule.forRoot(options),
        ...features,
      ],
    };
  }
}
