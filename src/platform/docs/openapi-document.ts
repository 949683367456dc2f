import { setImmediate } from 'node:timers/promises';
import { HttpStatus, type Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  DocumentBuilder,
  getSchemaPath,
  type OpenAPIObject,
  type OperationObject,
  type ReferenceObject,
  type RequestBodyObject,
  type ResponseObject,
  type SchemaObject,
  type SwaggerDocumentOptions,
  SwaggerModule,
} from '@nestjs/swagger';
import { HttpErrorDto, HttpValidationErrorDto } from '../http/error-response.dto.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings.js';
import { createOperationId, makeOperationIdsUnique, type Operation } from './operation-ids.js';

type Schemas = Record<string, SchemaObject | ReferenceObject>;

const REQUEST_ID_HEADER = {
  description:
    'The request id: the value that the caller sent, or a new UUID. Log records contain it as `requestId`.',
  required: true,
  schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
  example: '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c11',
};

/** Creates the response for every status that an operation does not document. */
function createDefaultResponse(): ResponseObject {
  return {
    description: 'An error, such as 400 for a malformed request or 500 for an unexpected error.',
    content: {
      'application/json': {
        schema: { $ref: getSchemaPath('HTTPError') },
        example: { detail: 'Internal Server Error' },
      },
    },
  };
}

function createValidationErrorResponse(): ResponseObject {
  return {
    description: 'The request is not valid.',
    content: { 'application/json': { schema: { $ref: getSchemaPath('HTTPValidationError') } } },
  };
}

/**
 * Creates the OpenAPI 3.1 document of all features. Adds to each operation the responses of the platform,
 * the header of every response, and an example of each body, composed of the properties' examples.
 *
 * Handles one module in each iteration of the event loop. With 300 features, all modules take 0.2 s.
 */
export async function createOpenApiDocument(app: NestExpressApplication): Promise<OpenAPIObject> {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('PetSage API')
    .setVersion(packageInfo.version)
    .setDescription(
      'The official backend API for the PetSage platform, providing services for pet care, advice, and community interaction.',
    )
    .setContact('PetSage Support', 'https://petsage.io/support', 'support@petsage.io')
    .addServer(app.get(Settings).ROOT_PATH ?? '/', 'The server of this document')
    .addTag('System Health', 'Probes and information about the running process.')
    .addTag('Health & Monitoring', 'Smoke checks for uptime and log monitoring.')
    .build();
  const options: SwaggerDocumentOptions = {
    autoTagControllers: false,
    operationIdFactory: createOperationId,
  };
  const {
    components,
    paths,
    webhooks = {},
    ...common
  } = SwaggerModule.createDocument(app, config, {
    ...options,
    include: [NoModule],
    extraModels: [HttpErrorDto, HttpValidationErrorDto],
  });
  const commonSchemas = components?.schemas ?? {};
  allowAnyInput(commonSchemas.ValidationError as SchemaObject);
  const schemas: Schemas = {};
  const operations: Operation[] = [];
  for (const module of findModules(app)) {
    await setImmediate();
    const part = SwaggerModule.createDocument(app, config, { ...options, include: [module] });
    Object.assign(schemas, part.components?.schemas);
    Object.assign(webhooks, part.webhooks);
    for (const operation of listOperations(part.paths)) {
      addResponses(operation.definition);
      addExamples(operation.definition, { ...part.components?.schemas, ...commonSchemas });
      operations.push(operation);
    }
    for (const [path, item] of Object.entries(part.paths)) {
      paths[path] = { ...paths[path], ...item };
    }
  }
  makeOperationIdsUnique([...operations, ...listOperations(webhooks)]);
  return {
    ...common,
    ...(Object.keys(webhooks).length > 0 && { webhooks }),
    security: [],
    paths,
    components: {
      ...components,
      schemas: { ...schemas, ...commonSchemas },
      headers: { 'X-Request-Id': REQUEST_ID_HEADER },
    },
  };
}

/** Selects no module of the application, as an empty list selects all of them. */
class NoModule {}

function findModules(app: NestExpressApplication): Set<Type> {
  const modules = [...app.get(ModulesContainer).values()];
  return new Set(modules.filter(({ controllers }) => controllers.size > 0).map((m) => m.metatype));
}

function listOperations(paths: OpenAPIObject['paths']): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, OperationObject>).map(([method, definition]) => ({
      path,
      method,
      definition,
    })),
  );
}

/** Removes the type of `input`, because decorators cannot declare a property of any type. */
function allowAnyInput({ properties }: SchemaObject): void {
  delete (properties?.input as SchemaObject).type;
}

function addResponses(operation: OperationObject): void {
  const hasInput = operation.requestBody !== undefined || operation.parameters?.length;
  operation.responses = {
    ...operation.responses,
    ...(hasInput && {
      [HttpStatus.UNPROCESSABLE_ENTITY]: createValidationErrorResponse(),
    }),
    default: createDefaultResponse(),
  };
  for (const response of Object.values(operation.responses) as ResponseObject[]) {
    response.headers = {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      ...response.headers,
    };
  }
}

function addExamples({ requestBody, responses }: OperationObject, schemas: Schemas): void {
  const bodies = [requestBody, ...Object.values(responses)] as (
    RequestBodyObject | ResponseObject | undefined
  )[];
  for (const body of bodies) {
    for (const media of Object.values(body?.content ?? {})) {
      if (!media.examples) media.example ??= composeExample(media.schema, schemas);
    }
  }
}

/** Composes an example of a schema's examples. Returns undefined if there are none. */
function composeExample(
  schema: SchemaObject | ReferenceObject | undefined,
  schemas: Schemas,
  parents: string[] = [],
): unknown {
  if (schema === undefined) return undefined;
  if ('$ref' in schema) {
    // The example of a recursive schema ends at the first repetition.
    if (parents.includes(schema.$ref)) return undefined;
    const name = schema.$ref.replace('#/components/schemas/', '');
    return composeExample(schemas[name], schemas, [...parents, schema.$ref]);
  }
  const { enum: values, allOf, items, properties } = schema;
  if (schema.example !== undefined) return schema.example;
  if (values) return values[0];
  if (allOf) return composeExample(allOf[0], schemas, parents);
  if (items) {
    const item = composeExample(items, schemas, parents);
    return item === undefined ? [] : [item];
  }
  return (
    properties &&
    Object.fromEntries(
      Object.entries(properties)
        .map(([name, property]) => [name, composeExample(property, schemas, parents)] as const)
        .filter(([, value]) => value !== undefined),
    )
  );
}
