import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { SmokeTestModule } from './features/smoke-test/smoke-test.module.js';
import { PlatformModule, type PlatformOptions } from './platform/platform.module.js';

/** Imports the platform and every feature. */
@Module({
  // Also imported when the features are chosen: without the smoke checks, start-up fails.
  imports: [SmokeTestModule],
})
export class AppModule {
  static forRoot(
    features: NonNullable<ModuleMetadata['imports']>,
    options: PlatformOptions,
  ): DynamicModule {
    return { module: AppModule, imports: [PlatformModule.forRoot(options), ...features] };
  }
}
