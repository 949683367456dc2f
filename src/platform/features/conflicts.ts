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
import { findSchemas, getSchemaName, type SchemaDefinition } from './schema-names.js';

const PLATFORM_DTOS = [
  HttpErrorDto,
  HttpValidationErrorDto,
  ValidationErrorDto,
  ReadyResponseDto,
  NotReadyResponseDto,
  InfoResponseDto,
];

/**
 * Asserts that no two DTO classes, and no two different enums, have the same schema name. The OpenAPI
 * document would contain only one of them, with nothing but a warning from `@nestjs/swagger`. Duplicate
 * routes are detected by Nest.
 *
 * @throws Error that names the schema and the files of both features
 */
export function assertUniqueSchemaNames(features: Feature[]): void {
  const owners = new Map<string, { definition: SchemaDefinition; file: string }>(
    PLATFORM_DTOS.map((dto) => [getSchemaName(dto), { definition: dto, file: 'the platform' }]),
  );
  for (const { module, file } of features) {
    for (const [definition, name] of findSchemas(module)) {
      const owner = owners.get(name);
      if (owner !== undefined && owner.definition !== definition) {
        const [kind, solution] =
          typeof definition === 'string'
            ? ['enum', 'Rename its enumName']
            : ['DTO', 'Rename the class, or its @ApiSchema()'];
        throw new StartupError(
          `${file}: the ${kind} name ${name} is already used in ${owner.file}. ${solution}.`,
        );
      }
      owners.set(name, { definition, file });
    }
  }
}
