import { Module } from '@nestjs/common';
import { SmokeTestModule } from './features/smoke-test/smoke-test.module.js';
import { configModule } from './platform/config.js';
import { discoverFeatures } from './platform/features.js';
import { HealthModule } from './platform/health/health.module.js';
import { HttpModule } from './platform/http/http.module.js';

/**
 * The table of contents: the platform, the smoke test that the service exists for, and every other
 * folder of `features/`. A module that is named and found is still one module.
 */
@Module({
  imports: [
    configModule,
    HttpModule,
    HealthModule,
    SmokeTestModule,
    ...(await discoverFeatures(new URL('./features/', import.meta.url))),
  ],
})
export class AppModule {}
