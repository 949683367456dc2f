import type { Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';

type Handler = (...args: unknown[]) => unknown;

const scanner = new MetadataScanner();

/** Finds the methods of a controller that handle routes, inherited ones included, with their names. */
export function findRouteHandlers(controller: Type): [name: string, handler: Handler][] {
  const methods = controller.prototype as Record<string, Handler>;
  return scanner
    .getAllMethodNames(methods)
    .map((name): [string, Handler | undefined] => [name, methods[name]])
    .filter((entry): entry is [string, Handler] =>
      Boolean(entry[1] && Reflect.hasMetadata(PATH_METADATA, entry[1])),
    );
}
