import { isDeepStrictEqual } from 'node:util';
import { Logger, type Type } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { StartupError } from '../startup-error.js';
import type { Schemas } from './schema-example.js';

const SOLUTION =
  'Rename one of the classes, or set its @ApiSchema({ name }). Of an enum, change the enumName.';

/**
 * Collects the schemas of all modules. Classes of two modules may have the same name only if
 * their schemas are equal, because the document contains one schema of each name.
 */
export class UniqueSchemas {
  readonly schemas: Schemas = {};
  private readonly owners = new Map<string, string>();

  /**
   * @param owner name of the module
   * @throws StartupError that names both modules, if a name has two different schemas
   */
  add(schemas: Schemas, owner: string): void {
    for (const [name, schema] of Object.entries(schemas)) {
      const other = this.owners.get(name);
      if (other !== undefined && !isDeepStrictEqual(schema, this.schemas[name])) {
        throw new StartupError(
          `${other} and ${owner} have different DTOs or enums of the name ${name}. ${SOLUTION}`,
        );
      }
      this.schemas[name] = schema;
      this.owners.set(name, owner);
    }
  }
}

/**
 * Calls a function that creates the document of a module.
 *
 * @throws StartupError if two classes of the module have the same name and different schemas, about which
 *   `@nestjs/swagger` only logs a warning
 */
export function rejectDuplicateSchemas(module: Type, create: () => OpenAPIObject): OpenAPIObject {
  const { warn } = Logger as { warn: (...args: unknown[]) => void };
  Logger.warn = (message: unknown, ...params: unknown[]) => {
    if (!String(message).startsWith('Duplicate DTO detected')) {
      warn.call(Logger, message, ...params);
      return;
    }
    throw new StartupError(`${module.name}: ${String(message).split('\n')[0]} ${SOLUTION}`);
  };
  try {
    return create();
  } finally {
    Logger.warn = warn;
  }
}
