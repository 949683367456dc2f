import type { Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import {
  DocumentBuilder,
  type OpenAPIObject,
  type OperationObject,
  type SchemaObject,
  type SwaggerDocumentOptions,
  SwaggerModule,
} from '@nestjs/swagger';
import { HttpErrorDto, HttpValidationErrorDto } from '../http/error-response.dto.js';
import { packageInfo } from '../package-info.js';
import { Settings } from '../settings/settings.js';
import { addErrorResponses, nameSharedResponses, type Responses } from './error-responses.js';
import { addExamples } from './examples.js';
import {
  assertUniqueOperationIds,
  createOperationId,
  makeOperationIdsUnique,
  type Operation,
} from './operation-ids.js';
import { rejectDuplicateSchemas, UniqueSchemas } from './unique-schemas.js';

const REQUEST_ID_HEADER = {
  description:
    'The request id: the value that the caller sent, or a new UUID. Log records contain it as `requestId`.',
  required: true,
  schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
  example: '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c11',
};

type SecuritySchemes = NonNullable<NonNullable<OpenAPIObject['components']>['securitySchemes']>;

/**
 * The schemes of `@ApiBearerAuth()`, `@ApiBasicAuth()` and `@ApiSecurity('api_key')`. Features cannot add them to the
 * document.
 */
const SECURITY_SCHEMES: SecuritySchemes =
  new DocumentBuilder()
    .addBearerAuth()
    .addBasicAuth()
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' })
    .build().components?.securitySchemes ?? {};

/**
 * Creates the OpenAPI 3.1 document of all features. Adds to each operation the responses of the platform,
 * the header of every response, and an example of each body, composed of the properties' examples.
 *
 * @throws StartupError if two handlers have the same operation id, or two different DTOs the same name
 */
export function createOpenApiDocument(app: NestExpressApplication): OpenAPIObject {
  assertUniqueOperationIds(app.get(ModulesContainer));
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
  const unique = new UniqueSchemas();
  const shared: OperationObject = { responses: {} };
  const operations: Operation[] = [];
  for (const module of findModules(app)) {
    const part = rejectDuplicateSchemas(module, () =>
      SwaggerModule.createDocument(app, config, { ...options, include: [module] }),
    );
    const schemas = part.components?.schemas ?? {};
    unique.add(schemas, module.name);
    Object.assign(webhooks, part.webhooks);
    for (const operation of listOperations(part.paths)) {
      const { definition } = operation;
      mergeTokenRequirements(definition);
      addErrorResponses(definition, shared.responses as Responses);
      addExamples(definition, { ...schemas, ...commonSchemas });
      addRequestIdHeader(definition.responses as Responses);
      operations.push(operation);
    }
    for (const [path, item] of Object.entries(part.paths)) {
      paths[path] = { ...paths[path], ...item };
    }
  }
  unique.add(commonSchemas, 'the platform');
  allowAnyInput(commonSchemas.ValidationError as SchemaObject);
  addExamples(shared, commonSchemas);
  addRequestIdHeader(shared.responses as Responses);
  makeOperationIdsUnique([...operations, ...listOperations(webhooks)]);
  const securitySchemes = findSecuritySchemes(operations);
  return {
    ...common,
    ...(Object.keys(webhooks).length > 0 && { webhooks }),
    security: [],
    paths,
    components: {
      ...components,
      schemas: unique.schemas,
      ...(Object.keys(shared.responses).length > 0 && {
        responses: nameSharedResponses(shared.responses as Responses),
      }),
      headers: { 'X-Request-Id': REQUEST_ID_HEADER },
      ...(Object.keys(securitySchemes).length > 0 && { securitySchemes }),
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

/** Returns the {@link SECURITY_SCHEMES} that operations require. */
function findSecuritySchemes(operations: Operation[]): SecuritySchemes {
  const required = new Set(
    operations.flatMap(({ definition }) => (definition.security ?? []).flatMap(Object.keys)),
  );
  return Object.fromEntries(
    Object.entries(SECURITY_SCHEMES).filter(([name]) => required.has(name)),
  );
}

/** Merges the tokens that a controller and its handler require into one, with the scopes of both. */
function mergeTokenRequirements(operation: OperationObject): void {
  const { security = [] } = operation;
  const tokens = security.filter(({ bearer }) => bearer);
  if (tokens.length < 2) return;
  const scopes = new Set(tokens.flatMap(({ bearer = [] }) => bearer));
  operation.security = [
    { bearer: [...scopes] },
    ...security.filter((requirement) => !tokens.includes(requirement)),
  ];
}

/** Removes the type of `input`, because decorators cannot declare a property of any type. */
function allowAnyInput({ properties }: SchemaObject): void {
  delete (properties?.input as SchemaObject).type;
}

function addRequestIdHeader(responses: Responses): void {
  for (const response of Object.values(responses)) {
    if ('$ref' in response) continue;
    response.headers = {
      'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
      ...response.headers,
    };
  }
}
