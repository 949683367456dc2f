import type { DynamicModule, Type } from '@nestjs/common';
import { MODULE_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { RouteConflictDetector } from '@nestjs/core/router/route-conflict-detector.js';
import { DECORATORS } from '@nestjs/swagger';
import { InfoResponseDto } from '../health/dto/info-response.dto.js';
import { NotReadyResponseDto } from '../health/dto/not-ready-response.dto.js';
import { ReadyResponseDto } from '../health/dto/ready-response.dto.js';
import {
  HttpErrorDto,
  HttpValidationErrorDto,
  ValidationErrorDto,
} from '../http/error-response.dto.js';
import { StartupError } from '../startup-error.js';
import type { Feature } from './feature.js';

const PLATFORM_DTOS = [
  HttpErrorDto,
  HttpValidationErrorDto,
  ValidationErrorDto,
  ReadyResponseDto,
  NotReadyResponseDto,
  InfoResponseDto,
];

type ResolvedRoutes = Parameters<typeof RouteConflictDetector.detect>[0];

const detect = RouteConflictDetector.detect.bind(RouteConflictDetector);

/**
 * Makes Nest's `routeConflictPolicy` compare only routes that have the same method and path. By default,
 * it compares each route with every other one, also to find conflicts of a kind that the policy ignores.
 * With 300 features, that takes 70 ms at start-up (Node 24).
 */
export function detectOnlyDuplicateRoutes(): void {
  RouteConflictDetector.detect = (routes, versioning) => {
    const counts = new Map<string, number>();
    for (const route of routes) {
      const key = getRouteKey(route);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const candidates = routes.filter((route) => counts.get(getRouteKey(route)) !== 1);
    return detect(candidates, versioning);
  };
}

function getRouteKey({ method, path }: ResolvedRoutes[number]): string {
  return `${method} ${path}`;
}

const PLAIN_TYPES = new Set<unknown>([String, Number, Boolean, Array, Object, Date]);

/**
 * Asserts that no two DTO classes have the same schema name. The OpenAPI document would contain only the
 * last one, with nothing but a warning from `@nestjs/swagger`. Duplicate routes are detected by Nest.
 *
 * @throws Error that names the schema and the files of both features
 */
export function assertUniqueSchemaNames(features: Feature[]): void {
  const owners = new Map<string, { dto: Type; file: string }>(
    PLATFORM_DTOS.map((dto) => [getSchemaName(dto), { dto, file: 'the platform' }]),
  );
  for (const { module, file } of features) {
    for (const dto of findDtos(module)) {
      const name = getSchemaName(dto);
      const owner = owners.get(name);
      if (owner !== undefined && owner.dto !== dto) {
        throw new StartupError(
          `${file}: the DTO name ${name} is already used in ${owner.file}. Rename the class, or its @ApiSchema().`,
        );
      }
      owners.set(name, { dto, file });
    }
  }
}

function getSchemaName(dto: Type): string {
  const [schema] = (Reflect.getMetadata(DECORATORS.API_SCHEMA, dto) ?? []) as { name?: string }[];
  return schema?.name ?? dto.name;
}

/** Finds the DTOs of all handlers' parameters and responses, and the DTOs that these contain. */
function findDtos(module: Type): Set<Type> {
  const dtos = new Set<Type>();
  for (const controller of findControllers(module)) {
    const methods = controller.prototype as Record<string, object>;
    for (const name of new MetadataScanner().getAllMethodNames(methods)) {
      const handler = methods[name];
      if (handler === undefined || !Reflect.hasMetadata(PATH_METADATA, handler)) continue;
      collectDtos(Reflect.getMetadata('design:paramtypes', methods, name), dtos);
      const responses = (Reflect.getMetadata(DECORATORS.API_RESPONSE, handler) ?? {}) as object;
      for (const { type } of Object.values(responses) as { type?: unknown }[]) {
        collectDtos(type, dtos);
      }
    }
  }
  return dtos;
}

/** Finds the controllers of a module and of the modules that it imports. */
function findControllers(module: object, visited = new Set<object>()): Type[] {
  if (visited.has(module)) return [];
  visited.add(module);
  const dynamic = module as Partial<DynamicModule>;
  const controllers = [
    ...((Reflect.getMetadata(MODULE_METADATA.CONTROLLERS, module) ?? []) as Type[]),
    ...(dynamic.controllers ?? []),
  ];
  const imports = [
    ...((Reflect.getMetadata(MODULE_METADATA.IMPORTS, module) ?? []) as object[]),
    ...(dynamic.imports ?? []),
    ...(dynamic.module ? [dynamic.module] : []),
  ];
  return [...controllers, ...imports.flatMap((imported) => findControllers(imported, visited))];
}

function collectDtos(type: unknown, dtos: Set<Type>): void {
  if (Array.isArray(type)) {
    for (const item of type) collectDtos(item, dtos);
  }
  if (typeof type !== 'function' || PLAIN_TYPES.has(type) || dtos.has(type as Type)) return;
  const prototype = type.prototype as object | undefined;
  if (prototype === undefined) {
    // A lazy type, as in `type: () => OwnerDto`.
    collectDtos((type as () => unknown)(), dtos);
    return;
  }
  const properties = Reflect.getMetadata(DECORATORS.API_MODEL_PROPERTIES_ARRAY, prototype) as
    string[] | undefined;
  if (properties === undefined) return;
  dtos.add(type as Type);
  for (const property of properties) {
    const options = Reflect.getMetadata(
      DECORATORS.API_MODEL_PROPERTIES,
      prototype,
      // Names are stored with a leading colon.
      property.slice(1),
    ) as { type?: unknown };
    collectDtos(options.type, dtos);
  }
}
