import { Module, type Type } from '@nestjs/common';
import { APP_FILTER, APP_PIPE, DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { useContainer } from 'class-validator';
import { setBodyUse } from './body-use.js';
import { ErrorFilter } from './error.filter.js';
import { ConstraintContainer } from './validation/constraint-container.js';
import { DtoValidationPipe } from './validation/dto-validation.pipe.js';
import { WelcomeController } from './welcome.controller.js';

/** Registers the global pipe and the global exception filter. */
@Module({
  imports: [DiscoveryModule],
  controllers: [WelcomeController],
  providers: [
    ConstraintContainer,
    { provide: APP_PIPE, useClass: DtoValidationPipe },
    { provide: APP_FILTER, useClass: ErrorFilter },
  ],
})
export class HttpModule {
  constructor(discovery: DiscoveryService, container: ConstraintContainer) {
    // Before Nest registers the routes.
    for (const { metatype } of discovery.getControllers()) setBodyUse(metatype as Type);
    // For a feature's own ValidationPipe.
    useContainer(container);
  }
}
