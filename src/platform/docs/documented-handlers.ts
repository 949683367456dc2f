import type { Type } from '@nestjs/common';
import { DECORATORS } from '@nestjs/swagger';
import { findRouteHandlers } from '../http/route-handlers.js';

/** Finds the handlers of a controller whose operations are in the OpenAPI document, with their names. */
export function findDocumentedHandlers(controller: Type): ReturnType<typeof findRouteHandlers> {
  const [isExcluded] = (Reflect.getMetadata(DECORATORS.API_EXCLUDE_CONTROLLER, controller) ??
    []) as boolean[];
  if (isExcluded) return [];
  return findRouteHandlers(controller).filter(([, handler]) => {
    const excluded = Reflect.getMetadata(DECORATORS.API_EXCLUDE_ENDPOINT, handler) as
      { disable?: boolean } | undefined;
    return !excluded?.disable;
  });
}
