import { STATUS_CODES } from 'node:http';
import {
  getSchemaPath,
  type OperationObject,
  type ReferenceObject,
  type RequestBodyObject,
  type ResponseObject,
  type SchemaObject,
} from '@nestjs/swagger';
import { composeExample, type Schemas } from './schema-example.js';
import { createValidationErrorExample } from './validation-error-example.js';

/**
 * Adds an example to each JSON body of an operation, unless its author has set one. It is composed of the
 * examples of the properties. The example of an error fits the status and the operation.
 */
export function addExamples(operation: OperationObject, schemas: Schemas): void {
  addBodyExamples(operation.requestBody, (schema) => composeExample(schema, schemas));
  for (const [status, response] of Object.entries(operation.responses)) {
    addBodyExamples(response, (schema) => {
      if (schema === undefined || !('$ref' in schema)) return composeExample(schema, schemas);
      switch (schema.$ref) {
        case getSchemaPath('HTTPError'):
          return { detail: STATUS_CODES[status.replace('XX', '00')] ?? 'Internal Server Error' };
        case getSchemaPath('HTTPValidationError'):
          return createValidationErrorExample(operation, schemas);
        default:
          return composeExample(schema, schemas);
      }
    });
  }
}

function addBodyExamples(
  body: RequestBodyObject | ResponseObject | ReferenceObject | undefined,
  createExample: (schema: SchemaObject | ReferenceObject | undefined) => unknown,
): void {
  if (body === undefined || '$ref' in body) return;
  // `@nestjs/swagger` shares the responses of a controller between its operations, so they are copied.
  body.content &&= Object.fromEntries(
    Object.entries(body.content).map(([type, media]) => [
      type,
      media.examples || !isJson(type)
        ? media
        : { ...media, example: (media.example as unknown) ?? createExample(media.schema) },
    ]),
  );
}

function isJson(mediaType: string): boolean {
  return /^application\/([\w.-]+\+)?json\b/i.test(mediaType);
}
