import { Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { ErrorFilter } from './error.filter.js';
import { DtoValidationPipe } from './validation/dto-validation.pipe.js';
import { WelcomeController } from './welcome.controller.js';

/** Registers the global pipe and the global exception filter. */
@Module({
  controllers: [WelcomeController],
  providers: [
    { provide: APP_PIPE, useClass: DtoValidationPipe },
    { provide: APP_FILTER, useClass: ErrorFilter },
  ],
})
export class HttpModule {}
