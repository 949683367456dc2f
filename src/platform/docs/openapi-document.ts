import { HttpStatus } from '@nestjs/common';
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
  SwaggerModule,
} from '@nestjs/swagger';
import { HttpErrorDto, HttpValidationErrorDto } from '../http/error-response.dto.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings.js';

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
 */
export function createOpenApiDocument(app: NestExpressApplication): OpenAPIObject {
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
  const { paths, components, ...rest } = SwaggerModule.createDocument(app, config, {
    autoTagControllers: false,
    extraModels: [HttpErrorDto, HttpValidationErrorDto],
    // Unique and stable. Handlers may set a better name with @ApiOperation({ operationId }).
    operationIdFactory: (controller, method) => method + controller.replace(/Controller$/, ''),
  });
  const schemas = components?.schemas ?? {};
  allowAnyInput(schemas.ValidationError as SchemaObject);
  for (const path of Object.values(paths)) {
    for (const operation of Object.values(path) as OperationObject[]) {
      addResponses(operation);
      addExamples(operation, schemas);
    }
  }
  return {
    ...rest,
    security: [],
    paths,
    components: { ...components, headers: { 'X-Request-Id': REQUEST_ID_HEADER } },
  };
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
