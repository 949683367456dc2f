import type { Type } from '@nestjs/common';
import { PATH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';

/** What the body parser knows about the method of a controller that handles a route. */
export interface BodyUse {
  /** Decorators of the method's parameters, as values of Nest's `RouteParamtypes`. */
  parameters: number[];
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

const BODY_USE = Symbol('BodyUse');
const scanner = new MetadataScanner();

/**
 * Stores a {@link BodyUse} for each route of a controller, as metadata of its method. Nest copies such metadata
 * to the function that it passes to the HTTP adapter.
 */
export function setBodyUse(controller: Type): void {
  const methods = controller.prototype as Methods;
  for (const name of scanner.getAllMethodNames(methods)) {
    const method = methods[name];
    if (method === undefined || !Reflect.hasMetadata(PATH_METADATA, method)) continue;
    const args = Reflect.getMetadata(ROUTE_ARGS_METADATA, methods.constructor, name) as
      object | undefined;
    const use: BodyUse = {
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
