import { type DynamicModule, Module } from '@nestjs/common';
import { SmokeTestModule } from './features/smoke-test/smoke-test.module.js';
import { discoverFeatures } from './platform/features/discovery.js';
import { PlatformModule, type PlatformOptions } from './platform/platform.module.js';

/** Imports the platform and every feature. */
@Module({
  // SmokeTestModule is also discovered. Importing it makes start-up fail if the smoke checks are missing.
  imports: [SmokeTestModule, ...(await discoverFeatures(new URL('./features/', import.meta.url)))],
})
export class AppModule {
  static forRoot(options: PlatformOptions): DynamicModule {
    return { module: AppModule, imports: [PlatformModule.forRoot(options)] };
  }
}
