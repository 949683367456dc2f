import { type DynamicModule, Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { ReadinessService } from '../health/readiness.service.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { Settings } from '../settings/settings.js';
import { ManagementServer } from './management.server.js';

/** Serves metrics and probes on `MANAGEMENT_PORT`, if it is set. */
@Module({})
export class ManagementModule {
  /** @param creationFailed closes the port, because Nest calls no shutdown hook then */
  static forRoot({ MANAGEMENT_PORT }: Settings, creationFailed: AbortSignal): DynamicModule {
    if (MANAGEMENT_PORT === undefined) return { module: ManagementModule };
    return {
      module: ManagementModule,
      // Nest calls the shutdown hooks of global modules last, in the reverse order of their imports.
      global: true,
      providers: [
        {
          provide: ManagementServer,
          inject: [Settings, Registry, ReadinessService, LifecycleService],
          // Not in onModuleInit(), which waits for the asynchronous providers of all features.
          useFactory: async (...dependencies: ConstructorParameters<typeof ManagementServer>) => {
            const server = new ManagementServer(...dependencies);
            await server.listen(MANAGEMENT_PORT, creationFailed);
            return server;
          },
        },
      ],
    };
  }
}
