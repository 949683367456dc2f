import { Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { ErrorFilter } from './error.filter.js';
import { ValidationPipe } from './validation.pipe.js';
import { WelcomeController } from './welcome.controller.js';

/** What every request of every feature goes through, registered once for the application. */
@Module({
  controllers: [WelcomeController],
  providers: [
    { provide: APP_PIPE, useClass: ValidationPipe },
    { provide: APP_FILTER, useClass: ErrorFilter },
  ],
})
export class HttpModule {}
