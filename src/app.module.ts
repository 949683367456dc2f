import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { SmokeTestModule } from './features/smoke-test/smoke-test.module.js';
import { ErrorFilter } from './platform/http/error.filter.js';
import { ManagementModule } from './platform/management/management.module.js';
import { PlatformModule, type PlatformOptions } from './platform/platform.module.js';

/** Imports the platform and every feature. */
@Module({
  // Every application has the smoke checks, also in a test that chooses its features.
  imports: [SmokeTestModule],
  // Registered in the root module, which Nest scans first. Filters of features are registered later and take precedence.
  providers: [{ provide: APP_FILTER, useClass: ErrorFilter }],
})
export class AppModule {
  static forRoot(
    features: NonNullable<ModuleMetadata['imports']>,
    options: PlatformOptions,
    creationFailed: AbortSignal,
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        // First, so that Nest calls its shutdown hook last.
        ManagementModule.forRoot(options.settings, creationFailed),
        PlatformModule.forRoot(options),
        ...features,
      ],
    };
  }
}
