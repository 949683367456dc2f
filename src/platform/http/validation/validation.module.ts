import { Module } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { useContainer } from 'class-validator';
import { ConstraintContainer } from './constraint-container.js';
import { DtoValidationPipe } from './dto-validation.pipe.js';
import { adaptParameterPipes } from './parameter-pipes.js';

/** Registers the global pipe, which works with any HTTP adapter. */
@Module({
  providers: [ConstraintContainer, { provide: APP_PIPE, useClass: DtoValidationPipe }],
})
export class ValidationModule {
  constructor(container: ConstraintContainer) {
    adaptParameterPipes();
    // For a feature's own ValidationPipe.
    useContainer(container);
  }
}
