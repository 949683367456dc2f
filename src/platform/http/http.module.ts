import { Module, type Type } from '@nestjs/common';
import { APP_PIPE, DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { useContainer } from 'class-validator';
import { setBodyUse } from './body-use.js';
import { setRouteHost } from './route-host.js';
import { ConstraintContainer } from './validation/constraint-container.js';
import { DtoValidationPipe } from './validation/dto-validation.pipe.js';
import { WelcomeController } from './welcome.controller.js';

/** Registers the global pipe. */
@Module({
  imports: [DiscoveryModule],
  controllers: [WelcomeController],
  providers: [ConstraintContainer, { provide: APP_PIPE, useClass: DtoValidationPipe }],
})
export class HttpModule {
  constructor(discovery: DiscoveryService, container: ConstraintContainer) {
    // Before Nest registers the routes.
    for (const { metatype } of discovery.getControllers()) {
      setBodyUse(metatype as Type);
      setRouteHost(metatype as Type);
    }
    // For a feature's own ValidationPipe.
    useContainer(container);
  }
}
