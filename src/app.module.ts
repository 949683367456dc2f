import { type DynamicModule, Module } from '@nestjs/common';
import { SmokeTestModule } from './features/smoke-test/smoke-test.module.js';
import { discoverFeatures } from './platform/features/discovery.js';
import { PlatformModule, type PlatformOptions } from './platform/platform.module.js';

/** Imports the platform, the smoke-test feature, and all other features in `features/`. */
@Module({
  imports: [SmokeTestModule, ...(await discoverFeatures(new URL('./features/', import.meta.url)))],
})
export class AppModule {
  static forRoot(options: PlatformOptions): DynamicModule {
    return { module: AppModule, imports: [PlatformModule.forRoot(options)] };
  }
}
