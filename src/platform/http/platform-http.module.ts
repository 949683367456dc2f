import { Module, type OnModuleInit, type Type } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { LifecycleModule } from '../lifecycle/lifecycle.module.js';
import { LifecycleService } from '../lifecycle/lifecycle.service.js';
import type { ApiAdapter } from './api.adapter.js';
import { setBodyUse } from './body-use.js';
import { HeaderPropagationService } from './header-propagation.service.js';
import { RequestLog } from './request-log.js';
import { RequestTracker } from './request-tracker.js';
import { setRouteHost } from './route-host.js';
import { ValidationModule } from './validation/validation.module.js';
import { WelcomeController } from './welcome.controller.js';

/** Connects the HTTP adapter with the trackers of requests and connections. */
@Module({
  imports: [DiscoveryModule, LifecycleModule, ValidationModule],
  controllers: [WelcomeController],
  providers: [HeaderPropagationService, RequestLog, RequestTracker],
  exports: [HeaderPropagationService, RequestTracker],
})
export class PlatformHttpModule implements OnModuleInit {
  constructor(
    discovery: DiscoveryService,
    private readonly adapterHost: HttpAdapterHost<ApiAdapter>,
    private readonly connections: ConnectionTracker,
    private readonly lifecycle: LifecycleService,
    private readonly requests: RequestTracker,
  ) {
    // Before Nest registers the routes.
    for (const { metatype } of discovery.getControllers()) {
      setBodyUse(metatype as Type);
      setRouteHost(metatype as Type);
    }
  }

  onModuleInit(): void {
    const { httpAdapter, listen$ } = this.adapterHost;
    httpAdapter.track(this.connections, this.requests);
    listen$.subscribe(() => {
      this.lifecycle.enter('ready');
    });
  }
}
