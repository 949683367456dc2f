import { Injectable, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { InvalidClassScopeException } from '@nestjs/core/errors/exceptions/invalid-class-scope.exception.js';
import { UnknownElementException } from '@nestjs/core/errors/exceptions/unknown-element.exception.js';
import { StartupError } from '../../startup-error.js';

/**
 * Returns the instances of classes that implement class-validator rules: providers of the application's
 * modules, so that Nest injects their dependencies, and new instances of other classes.
 *
 * The validation pipe of an application uses the container of its own application. class-validator has one container
 * per process: Nest's `ValidationPipe`, and other code that calls class-validator, uses the container of the application
 * that was created last.
 */
@Injectable()
export class ConstraintContainer {
  private readonly instances = new Map<unknown, object>();

  constructor(private readonly moduleRef: ModuleRef) {}

  /** @throws StartupError if the class has dependencies and is not a provider, or is not a singleton */
  get<T extends object>(constraintClass: Type<T>): T {
    let instance = this.instances.get(constraintClass);
    if (instance === undefined) {
      instance = this.findProvider(constraintClass) ?? createInstance(constraintClass);
      this.instances.set(constraintClass, instance);
    }
    return instance as T;
  }

  private findProvider<T extends object>(constraintClass: Type<T>): T | undefined {
    try {
      return this.moduleRef.get(constraintClass, { strict: false });
    } catch (error) {
      if (error instanceof UnknownElementException) return undefined;
      if (error instanceof InvalidClassScopeException) {
        throw new StartupError(
          `${constraintClass.name} validates a DTO and is request-scoped or transient, or depends on such a provider. Make it a singleton.`,
        );
      }
      throw error;
    }
  }
}

function createInstance(constraintClass: Type<object>): object {
  const dependencies = Reflect.getMetadata('design:paramtypes', constraintClass) as unknown;
  if (Array.isArray(dependencies) && dependencies.length > 0) {
    throw new StartupError(
      `${constraintClass.name} validates a DTO and has dependencies. Add it to the providers of a module.`,
    );
  }
  return new constraintClass();
}
