import type { Type } from '@nestjs/common';
import { HOST_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { Router } from 'express';
import { getLayers } from './route-index.js';

const scanner = new MetadataScanner();

/**
 * Stores the host of a controller as metadata of its methods, without inherited ones. Nest copies such
 * metadata to the function that it passes to the HTTP adapter.
 */
export function setRouteHost(controller: Type): void {
  const host = Reflect.getMetadata(HOST_METADATA, controller) as unknown;
  if (host === undefined) return;
  const methods = controller.prototype as Record<string, object>;
  for (const name of scanner.getAllMethodNames(methods)) {
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined || !Reflect.hasMetadata(PATH_METADATA, method)) continue;
    Reflect.defineMetadata(HOST_METADATA, host, method);
  }
}

/** Returns whether the handler of a route serves a host name. */
export function servesHost(handler: object, hostname = ''): boolean {
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
