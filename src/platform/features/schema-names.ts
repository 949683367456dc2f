import type { DynamicModule, ForwardReference, Type } from '@nestjs/common';
import {
  MODULE_METADATA,
  PARAMTYPES_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { DECORATORS } from '@nestjs/swagger';
import { findDocumentedHandlers } from '../docs/documented-handlers.js';

const BUILT_IN_TYPES = new Set<unknown>([String, Number, Boolean, Array, Object, Date, BigInt]);

/** Parts of the request that the OpenAPI document describes, by the type of the handler's parameter. */
const PARAMETER_LOCATIONS = new Map<number, string>([
  [RouteParamtypes.BODY, 'body'],
  [RouteParamtypes.QUERY, 'query'],
  [RouteParamtypes.PARAM, 'path'],
  [RouteParamtypes.HEADERS, 'header'],
]);

/** What decorators of `@nestjs/swagger` store about a parameter, a response, or a property. */
interface TypeMetadata {
  type?: unknown;
  in?: string;
  name?: string;
  enumName?: string;
  enum?: unknown[];
  items?: TypeMetadata;
  schema?: TypeMetadata;
}

/** A DTO class, or the name and the values of an enum. */
export type SchemaDefinition = Type | string;

/** Names of schemas by their definitions. */
type Schemas = Map<SchemaDefinition, string>;

/** Returns the name that `@nestjs/swagger` uses: a subclass does not inherit it, and the last one wins. */
export function getSchemaName(dto: Type): string {
  const schemas = (Reflect.getOwnMetadata(DECORATORS.API_SCHEMA, dto) ?? []) as { name?: string }[];
  return schemas.at(-1)?.name ?? dto.name;
}

/** Finds the schemas that the OpenAPI document contains for the handlers of a module. */
export function findSchemas(module: Type): Schemas {
  const schemas: Schemas = new Map();
  for (const controller of findControllers(module)) {
    const handlers = findDocumentedHandlers(controller);
    if (handlers.length > 0) collectDeclaredSchemas(controller, schemas);
    for (const [name, handler] of handlers) {
      collectDeclaredSchemas(handler, schemas);
      for (const parameter of findParameters(controller, name, handler)) {
        // An unnamed query or path DTO becomes one parameter per property.
        if (parameter.in === 'body' || parameter.name) collectMetadata(parameter, schemas);
        else collectProperties(parameter.type, schemas);
      }
    }
  }
  return schemas;
}

/** Collects the schemas of `@ApiExtraModels()` and `@ApiResponse()` of a controller or a handler. */
function collectDeclaredSchemas(target: object, schemas: Schemas): void {
  collectType(Reflect.getMetadata(DECORATORS.API_EXTRA_MODELS, target), schemas);
  const responses = Reflect.getMetadata(DECORATORS.API_RESPONSE, target) as
    Record<string, TypeMetadata> | undefined;
  for (const { type } of Object.values(responses ?? {})) collectType(type, schemas);
}

/** Finds the documented parameters of a handler. Those of decorators such as `@ApiBody()` take precedence. */
function findParameters(controller: Type, name: string, handler: object): TypeMetadata[] {
  const declared =
    (Reflect.getMetadata(DECORATORS.API_PARAMETERS, handler) as TypeMetadata[] | undefined) ?? [];
  const types = (Reflect.getMetadata(PARAMTYPES_METADATA, controller.prototype as object, name) ??
    []) as unknown[];
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) ?? {}) as Record<
    string,
    { index: number; data?: unknown }
  >;
  const reflected = Object.entries(args).flatMap(([key, { index, data }]): TypeMetadata[] => {
    const location = PARAMETER_LOCATIONS.get(Number(key.split(':')[0]));
    const isDeclared = declared.some(
      (parameter) =>
        parameter.in === location &&
        parameter.type !== undefined &&
        (location === 'body' || parameter.name === data),
    );
    if (location === undefined || isDeclared || (location === 'body' && data)) return [];
    return [{ in: location, name: typeof data === 'string' ? data : '', type: types[index] }];
  });
  return [...declared, ...reflected];
}

/** Finds the controllers of a module and of the modules that it imports. */
function findControllers(module: object, visited = new Set<object>()): Type[] {
  if (visited.has(module)) return [];
  visited.add(module);
  const dynamic = module as Partial<DynamicModule & ForwardReference<() => object>>;
  const controllers = [
    ...((Reflect.getMetadata(MODULE_METADATA.CONTROLLERS, module) ?? []) as Type[]),
    ...(dynamic.controllers ?? []),
  ];
  const imports = [
    ...((Reflect.getMetadata(MODULE_METADATA.IMPORTS, module) ?? []) as object[]),
    ...(dynamic.imports ?? []),
    ...(dynamic.module ? [dynamic.module] : []),
    ...(dynamic.forwardRef ? [dynamic.forwardRef()] : []),
  ];
  return [...controllers, ...imports.flatMap((imported) => findControllers(imported, visited))];
}

function collectMetadata(metadata: TypeMetadata, schemas: Schemas): void {
  const { enumName, items, schema, type } = metadata;
  if (enumName === undefined) {
    collectType(type, schemas);
  } else {
    const values = metadata.enum ?? items?.enum ?? schema?.enum ?? schema?.items?.enum;
    schemas.set(`${enumName}: ${JSON.stringify(values)}`, enumName);
  }
}

function collectType(type: unknown, schemas: Schemas): void {
  if (Array.isArray(type)) {
    for (const item of type) collectType(item, schemas);
  } else if (isLazyType(type)) {
    collectType(type(), schemas);
  } else if (typeof type === 'object' && type !== null) {
    // An inline schema, as in `type: { owner: { type: OwnerDto } }`.
    for (const property of Object.values(type)) {
      collectMetadata(Object(property) as TypeMetadata, schemas);
    }
  } else if (isDto(type) && !schemas.has(type)) {
    schemas.set(type, getSchemaName(type));
    collectType(Reflect.getMetadata(DECORATORS.API_EXTRA_MODELS, type), schemas);
    collectProperties(type, schemas);
  }
}

/** Collects the schemas of a DTO's properties. */
function collectProperties(type: unknown, schemas: Schemas): void {
  if (isLazyType(type)) {
    collectProperties(type(), schemas);
    return;
  }
  if (!isDto(type)) return;
  const prototype = type.prototype as object;
  const names =
    (Reflect.getMetadata(DECORATORS.API_MODEL_PROPERTIES_ARRAY, prototype) as
      string[] | undefined) ?? [];
  for (const name of names) {
    // Names are stored with a leading colon.
    const property = Reflect.getMetadata(
      DECORATORS.API_MODEL_PROPERTIES,
      prototype,
      name.slice(1),
    ) as TypeMetadata;
    collectMetadata(property, schemas);
  }
}

/** Returns whether a type is a function that returns it. `@nestjs/swagger` requires `type: () => OwnerDto`. */
function isLazyType(type: unknown): type is () => unknown {
  return typeof type === 'function' && type.name === 'type';
}

function isDto(type: unknown): type is Type {
  return typeof type === 'function' && type.prototype !== undefined && !BUILT_IN_TYPES.has(type);
}
