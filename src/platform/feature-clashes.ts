import { type DynamicModule, RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, MODULE_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { DECORATORS } from '@nestjs/swagger';
import type { Feature } from './features.js';
import { InfoResponse } from './health/dto/info-response.dto.js';
import { NotReadyResponse } from './health/dto/not-ready-response.dto.js';
import { ReadyResponse } from './health/dto/ready-response.dto.js';
import { HTTPError, HTTPValidationError, ValidationError } from './http/error-responses.dto.js';

/** What the platform has for its own: routes, and the names of schemas. */
const PLATFORM: Record<'routes' | 'schemas', Claim[]> = {
  routes: [
    '/',
    '/docs',
    '/openapi.json',
    '/openapi.yaml',
    '/system/readyz',
    '/system/info',
    '/metrics',
  ].map((path) => [`GET ${path}`, path]),
  schemas: [
    HTTPError,
    HTTPValidationError,
    ValidationError,
    ReadyResponse,
    NotReadyResponse,
    InfoResponse,
  ].map((dto) => [dto.name, dto]),
};

/** Patterns that take the paths of the documents, which are looked at last and would be hidden. */
const HIDING = /^(?:GET|HEAD|ALL) \/(?::…$|docs\/|[^/]*[*{])/;

/** A name that must stand for one thing in the whole application, and the thing. */
type Claim = [name: string, thing: unknown];

/** What Swagger's decorators say of a response or a property, as far as it matters here. */
interface Typed {
  type?: unknown;
}

/**
 * Refuses what would make one feature hide another: two handlers of one route, of which Express
 * would only ever call the first, and two DTO classes of one name, of which the OpenAPI document
 * would only show the last. Refuses a pattern that would hide the documents, too.
 *
 * @throws Error with a sentence that names the thing and the files of both features
 */
export function rejectClashes(features: Feature[]): void {
  rejectSharedClaims('route', PLATFORM.routes, features, routesOf);
  rejectSharedClaims('DTO name', PLATFORM.schemas, features, schemasOf);
  for (const { module, file } of features) {
    const controllers = [...controllersOf(module)];
    const routes = controllers.flatMap((one) => routesOf(one, handlersOf(one)));
    const hiding = routes.find(([name]) => HIDING.test(name));
    if (hiding) {
      throw new Error(`${file}: expected routes that leave /docs alone, found ${hiding[0]}`);
    }
  }
}

function rejectSharedClaims(
  kind: string,
  platform: Claim[],
  features: Feature[],
  claimsOf: (controller: Type, handlers: object[]) => Claim[],
): void {
  const owners = new Map<string, { thing: unknown; file: string }>(
    platform.map(([name, thing]) => [name, { thing, file: 'the platform' }]),
  );
  for (const { module, file } of features) {
    const controllers = [...controllersOf(module)];
    for (const [name, thing] of controllers.flatMap((one) => claimsOf(one, handlersOf(one)))) {
      const owner = owners.get(name);
      if (owner !== undefined && owner.thing !== thing) {
        throw new Error(
          `${file}: expected the ${kind} ${name} to be claimed once, found it in ${owner.file} too`,
        );
      }
      owners.set(name, { thing, file });
    }
  }
}

/** The controllers of a module and of those that it imports. */
function controllersOf(module: object, seen = new Set<object>()): Set<Type> {
  if (seen.has(module)) return new Set();
  seen.add(module);
  const own = [
    ...((read(MODULE_METADATA.CONTROLLERS, module) ?? []) as Type[]),
    ...((module as DynamicModule).controllers ?? []),
  ];
  const imports = [
    ...((read(MODULE_METADATA.IMPORTS, module) ?? []) as object[]),
    ...((module as DynamicModule).imports ?? []),
    (module as Partial<DynamicModule>).module ?? [],
  ].flat();
  return new Set([...own, ...imports.flatMap((inner) => [...controllersOf(inner, seen)])]);
}

function handlersOf({ prototype }: Type): object[] {
  const methods = prototype as Record<string, object>;
  return new MetadataScanner()
    .getAllMethodNames(methods)
    .flatMap((name) => methods[name] ?? [])
    .filter((method) => Reflect.hasMetadata(PATH_METADATA, method));
}

function routesOf(controller: Type, handlers: object[]): Claim[] {
  return handlers.flatMap((handler) => {
    const method = RequestMethod[read(METHOD_METADATA, handler) as RequestMethod];
    return (
      pathsOf(controller)
        .flatMap((base) => pathsOf(handler).map((path) => `${base}/${path}`.split('/')))
        // By what name a parameter goes makes no difference to which paths match.
        .map((path) => path.filter(Boolean).map((part) => (part.startsWith(':') ? ':…' : part)))
        .map((path): Claim => [`${method} /${path.join('/')}`, handler])
    );
  });
}

function pathsOf(target: object): string[] {
  return [read(PATH_METADATA, target) as string | string[]].flat();
}

/** The DTOs of the handlers' arguments and responses, and those that these hold. */
function schemasOf(controller: Type, handlers: object[]): Claim[] {
  const found = new Set<Type>();
  for (const handler of handlers) {
    const { name } = handler as { name: string };
    collectSchemas(read('design:paramtypes', controller.prototype as object, name), found);
    const responses = (read(DECORATORS.API_RESPONSE, handler) ?? {}) as Record<string, Typed>;
    for (const { type } of Object.values(responses)) collectSchemas(type, found);
  }
  return [...found].map((schema) => [schema.name, schema]);
}

function collectSchemas(type: unknown, found: Set<Type>): void {
  if (Array.isArray(type)) {
    for (const item of type) collectSchemas(item, found);
  }
  if (typeof type !== 'function' || found.has(type as Type)) return;
  // A class, or the function that names one later: `type: () => Owner`.
  const prototype = type.prototype as object | undefined;
  if (prototype === undefined) {
    collectSchemas((type as () => unknown)(), found);
    return;
  }
  const properties = read(DECORATORS.API_MODEL_PROPERTIES_ARRAY, prototype) as string[] | undefined;
  if (properties === undefined) return;
  found.add(type as Type);
  for (const property of properties) {
    // The list has each name behind a colon.
    const options = read(DECORATORS.API_MODEL_PROPERTIES, prototype, property.slice(1));
    collectSchemas((options as Typed).type, found);
  }
}

function read(key: string, target: object, property?: string): unknown {
  return property === undefined
    ? Reflect.getMetadata(key, target)
    : Reflect.getMetadata(key, target, property);
}
