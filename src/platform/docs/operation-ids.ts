import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { DECORATORS, type OperationObject } from '@nestjs/swagger';
import { findRouteHandlers } from '../http/route-handlers.js';
import { StartupError } from '../startup-error.js';

/** An operation of the document, with its path and HTTP method. */
export interface Operation {
  path: string;
  method: string;
  definition: OperationObject;
}

/**
 * Creates the id of an operation whose author sets none: `listPets` for `PetsController.list()`.
 *
 * @param method name of the handler; `@nestjs/swagger` appends `[1]` for the second path
 */
export function createOperationId(controller: string, method: string): string {
  return method.replace(/\[\d+\]$/, '') + controller.replace(/Controller$/, '');
}

/**
 * Asserts that no other handler has the id that an author has set with `@ApiOperation({ operationId })`.
 *
 * @throws Error that names both handlers
 */
export function assertUniqueOperationIds(modules: ModulesContainer): void {
  const owners = new Map<string, Handler>();
  for (const handler of findHandlers(modules)) {
    const owner = owners.get(handler.id);
    if (
      owner !== undefined &&
      owner.callback !== handler.callback &&
      (owner.hasDeclaredId || handler.hasDeclaredId)
    ) {
      throw new StartupError(
        `The operation id ${handler.id} is used by ${owner.name} and ${handler.name}. Set another one with @ApiOperation({ operationId }).`,
      );
    }
    owners.set(handler.id, handler);
  }
}

interface Handler {
  name: string;
  callback: object;
  id: string;
  hasDeclaredId: boolean;
}

/** Finds the handlers whose operations are in the document. */
function findHandlers(modules: ModulesContainer): Handler[] {
  return [...modules.values()]
    .flatMap(({ controllers }) => [...controllers.values()])
    .flatMap(({ metatype: controller }) => {
      if (typeof controller !== 'function') return [];
      return findDocumentedHandlers(controller as Type).map(([method, callback]) => {
        const { operationId } = (Reflect.getMetadata(DECORATORS.API_OPERATION, callback) ??
          {}) as OperationObject;
        return {
          name: `${controller.name}.${method}`,
          callback,
          id: operationId ?? createOperationId(controller.name, method),
          hasDeclaredId: operationId !== undefined,
        };
      });
    });
}

/** Finds the handlers of a controller whose operations are in the OpenAPI document, with their names. */
function findDocumentedHandlers(controller: Type): ReturnType<typeof findRouteHandlers> {
  const [isExcluded] = (Reflect.getMetadata(DECORATORS.API_EXCLUDE_CONTROLLER, controller) ??
    []) as boolean[];
  if (isExcluded) return [];
  return findRouteHandlers(controller).filter(([, handler]) => {
    const excluded = Reflect.getMetadata(DECORATORS.API_EXCLUDE_ENDPOINT, handler) as
      { disable?: boolean } | undefined;
    return !excluded?.disable;
  });
}

/**
 * Makes the ids of all operations unique. Operations with the same id, such as a handler with several
 * paths or versions has, get the parts of their paths that differ as a suffix: `listPetsV1` and
 * `listPetsV2`.
 */
export function makeOperationIdsUnique(operations: Operation[]): void {
  const groups = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { operationId = '' } = operation.definition;
    groups.set(operationId, [...(groups.get(operationId) ?? []), operation]);
  }
  const ids = new Set([...groups].filter(([, group]) => group.length === 1).map(([id]) => id));
  for (const [id, group] of groups) {
    if (group.length === 1) continue;
    for (const operation of group) {
      const suffixedId = `${id}${createSuffix(operation, group)}`;
      let uniqueId = suffixedId;
      for (let number = 2; ids.has(uniqueId); number++) uniqueId = `${suffixedId}${number}`;
      ids.add(uniqueId);
      operation.definition.operationId = uniqueId;
    }
  }
}

function createSuffix({ path, method }: Operation, group: Operation[]): string {
  const others = group.filter((operation) => operation.path !== path);
  const segments = path
    .split('/')
    .filter((segment) => !others.every((other) => other.path.split('/').includes(segment)));
  const hasOtherMethods = group.length - others.length > 1;
  // If all operations have the same path, none of its segments differs.
  const words = [...(others.length > 0 ? segments : []), ...(hasOtherMethods ? [method] : [])];
  return words.map(toPascalCase).join('');
}

/** Converts a segment of a path: `pet-names` to `PetNames`, and `{id}` to `ById`. */
function toPascalCase(segment: string): string {
  return segment
    .replace(/^\{/, 'by-')
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
