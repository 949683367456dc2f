import type { Type } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { Reflector } from '@nestjs/core';
import { BodyLimit } from './body-limit.decorator.js';
import { findRouteHandlers } from './route-handlers.js';

/** How the handler of a route uses the body, for the body parser. */
export interface BodyUse {
  /** The value of {@link BodyLimit}. */
  limit: string | undefined;
  /** Decorators of the method's parameters, as values of Nest's `RouteParamtypes`. */
  parameters: number[];
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

const BODY_USE = Symbol('BodyUse');
const reflector = new Reflector();

/**
 * Stores a {@link BodyUse} for each route of a controller, as metadata of its method. Nest copies such metadata
 * to the function that it passes to the HTTP adapter.
 */
export function setBodyUse(controller: Type): void {
  const methods = controller.prototype as Methods;
  for (const [name, handler] of findRouteHandlers(controller)) {
    // Other controllers may inherit the same method with another limit.
    const isShared =
      Reflect.hasMetadata(BodyLimit.KEY, controller) && !Object.hasOwn(methods, name);
    const method = isShared ? overrideMethod(methods, name, handler) : handler;
    const args = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) as object | undefined;
    const use: BodyUse = {
      limit: reflector.getAllAndOverride(BodyLimit, [method, controller]),
      // The keys are `type:index`.
      parameters: Object.keys(args ?? {}).map((key) => Number(key.split(':')[0])),
    };
    Reflect.defineMetadata(BODY_USE, use, method);
  }
}

/** Returns how a route uses the body, or undefined if no controller handles it. */
export function getBodyUse(handler: unknown): BodyUse | undefined {
  return typeof handler === 'function'
    ? (Reflect.getMetadata(BODY_USE, handler) as BodyUse | undefined)
    : undefined;
}

/** Overrides an inherited method with one that calls it and has the same metadata. */
function overrideMethod(methods: Methods, name: string, inherited: Methods[string]) {
  const method: typeof inherited = function (this: unknown, ...args) {
    return inherited.apply(this, args);
  };
  for (const key of Reflect.getMetadataKeys(inherited) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inherited), method);
  }
  Object.defineProperty(methods, name, { value: method, configurable: true, writable: true });
  return method;
}
