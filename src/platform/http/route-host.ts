import type { Type } from '@nestjs/common';
import { HOST_METADATA } from '@nestjs/common/constants.js';
import { Router } from 'express';
import { getLayers, type Route } from '../../fast-express/route-index.js';
import { findRouteHandlers } from './route-handlers.js';

/**
 * Stores the host of a controller as metadata of its methods, without inherited ones. Nest copies such
 * metadata to the function that it passes to the HTTP adapter.
 */
export function setRouteHost(controller: Type): void {
  const host = Reflect.getMetadata(HOST_METADATA, controller) as unknown;
  if (host === undefined) return;
  for (const [name, handler] of findRouteHandlers(controller)) {
    const isOwn = Object.hasOwn(controller.prototype as object, name);
    if (isOwn) Reflect.defineMetadata(HOST_METADATA, host, handler);
  }
}

/** Returns whether the controller of a route serves a host name. */
export function servesHost({ stack }: Route, hostname = ''): boolean {
  // The last handler belongs to the controller.
  const handler = stack.at(-1)?.handle ?? {};
  const host = Reflect.getMetadata(HOST_METADATA, handler) as HostPattern | undefined;
  if (host === undefined) return true;
  return [host].flat().some((pattern) => matchesHost(pattern, hostname));
}

type HostPattern = string | RegExp | (string | RegExp)[];

function matchesHost(pattern: string | RegExp, hostname: string): boolean {
  if (typeof pattern !== 'string') return hostname.search(pattern) !== -1;
  // Patterns of hosts and paths have the same syntax.
  const [layer] = getLayers(Router().all(`/${pattern}`, () => undefined));
  return Boolean(layer?.match(`/${hostname}`));
}
