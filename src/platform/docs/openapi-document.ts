import { HttpStatus } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  type ContentObject,
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
  description: 'The id of this request: the one the caller sent, or a new one. The log has it too.',
  required: true,
  schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
  example: '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c11',
};

/** The errors that the platform answers in a feature's place, by status. */
const PLATFORM_ERRORS = {
  [HttpStatus.BAD_REQUEST]: error('The request is malformed.', 'The Host header is missing'),
  [HttpStatus.INTERNAL_SERVER_ERROR]: error(
    'Something unforeseen happened. The cause is in the log, under the request id.',
    'Internal Server Error',
  ),
};

/** That of an operation that takes anything from the client. */
const INPUT_ERRORS = {
  [HttpStatus.UNPROCESSABLE_ENTITY]: {
    description: 'What was sent is not what the operation asks for, or is no JSON.',
    content: { 'application/json': { schema: { $ref: getSchemaPath('HTTPValidationError') } } },
  },
};

/** Those of an operation that takes a body. */
const BODY_ERRORS = {
  [HttpStatus.PAYLOAD_TOO_LARGE]: error(
    'The body is larger than the server takes.',
    'The request body is larger than the limit of 100kb',
  ),
  [HttpStatus.UNSUPPORTED_MEDIA_TYPE]: error(
    'The body has a charset or a content encoding that the server does not know.',
    'Unsupported content encoding "compress"',
  ),
};

function error(description: string, detail: string): ResponseObject {
  const schema = { $ref: getSchemaPath('HTTPError') };
  return { description, content: { 'application/json': { schema, example: { detail } } } };
}

/**
 * Builds the OpenAPI 3.1 document of all features. Beside what their decorators say, each operation
 * gets the errors that the platform answers for it, the header that every response has, and an
 * example of each body, put together from the examples of its properties.
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
    .addServer(app.get(Settings).ROOT_PATH ?? '/', 'The server that this document comes from')
    .build();
  const { paths, components, ...rest } = SwaggerModule.createDocument(app, config, {
    autoTagControllers: false,
    extraModels: [HttpErrorDto, HttpValidationErrorDto],
    operationIdFactory: (controller, method) =>
      `${controller.replace(/Controller$/, '')}_${method}`,
  });
  const schemas = components?.schemas ?? {};
  for (const path of Object.values(paths)) {
    for (const operation of Object.values(path) as OperationObject[]) complete(operation, schemas);
  }
  return {
    ...rest,
    security: [],
    paths,
    components: { ...components, headers: { 'X-Request-Id': REQUEST_ID_HEADER } },
  };
}

function complete(operation: OperationObject, schemas: Schemas): void {
  const body = operation.requestBody as RequestBodyObject | undefined;
  operation.responses = {
    ...PLATFORM_ERRORS,
    ...((body ?? operation.parameters?.length) && INPUT_ERRORS),
    ...(body && BODY_ERRORS),
    ...operation.responses,
  };
  if (body) addExamples(body.content, schemas);
  for (const response of Object.values(operation.responses) as ResponseObject[]) {
    response.headers = {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      ...response.headers,
    };
    addExamples(response.content, schemas);
  }
}

function addExamples(content: ContentObject = {}, schemas: Schemas): void {
  for (const media of Object.values(content)) {
    if (!media.examples) media.example ??= exampleOf(media.schema, schemas);
  }
}

/** An example put together from those of a schema's parts; undefined where they have none. */
function exampleOf(
  schema: SchemaObject | ReferenceObject | undefined,
  schemas: Schemas,
  within: string[] = [],
): unknown {
  if (schema === undefined) return undefined;
  if ('$ref' in schema) {
    // A schema that holds itself has no end: its example does without.
    if (within.includes(schema.$ref)) return undefined;
    const name = schema.$ref.replace('#/components/schemas/', '');
    return exampleOf(schemas[name], schemas, [...within, schema.$ref]);
  }
  const { enum: values, allOf, items, properties } = schema;
  if (schema.example !== undefined) return schema.example;
  if (values) return values[0];
  if (allOf) return exampleOf(allOf[0], schemas, within);
  if (items) {
    const item = exampleOf(items, schemas, within);
    return item === undefined ? [] : [item];
  }
  return (
    properties &&
    Object.fromEntries(
      Object.entries(properties)
        .map(([name, property]) => [name, exampleOf(property, schemas, within)] as const)
        .filter(([, value]) => value !== undefined),
    )
  );
}
