import { readFileSync } from 'node:fs';
import type {
  OpenAPIObject,
  OperationObject,
  ParameterObject,
  PathItemObject,
  RequestBodyObject,
  ResponseObject,
  SecuritySchemeObject,
} from '@nestjs/swagger';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { ResponseError, RunError } from './run-error.js';

/** The `x-smoke-test` extension of an operation. */
interface SmokeTest {
  /** The response field that holds the current time. */
  now?: string;
  /** For each of these request fields: the response field that returns the same value. */
  echo?: Record<string, string>;
  /** The fields of the one log record that each request writes. */
  logs?: Record<string, unknown>;
}

export interface Operation {
  method: string;
  /** The documented path, with parameters in braces. */
  route: string;
  /** The path with examples for parameters. */
  path: string;
  tags: string[];
  /** The documented example of the JSON body. */
  body?: unknown;
  /** By status code, by status range such as `4XX`, or `default`. */
  responses: Record<string, DocumentedResponse>;
  /**
   * Alternatives of the credentials that the operation requires: `bearer`, `basic`, or lower-case names of headers.
   * Empty if it requires none.
   */
  credentials: string[][];
  /** Absent when the operation is not known to be safe to call. */
  smokeTest?: SmokeTest;
}

export interface DocumentedResponse {
  /** By media type: returns how a body violates the schema. */
  content: Record<string, (body: unknown) => string[]>;
  /** Lower-case names. */
  headers: string[];
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** The id of the document in references. */
const DOCUMENT_ID = 'openapi.json';

/**
 * Reads the operations of an OpenAPI 3.1 document.
 *
 * @throws ResponseError
 */
export function readOperations(json: string): Operation[] {
  try {
    return new OpenApiReader(json).readOperations();
  } catch (error) {
    throw new ResponseError(`expected an OpenAPI 3.1 document, got ${(error as Error).message}`);
  }
}

/**
 * Reads the operations of an OpenAPI 3.1 document in a JSON file.
 *
 * @throws RunError
 */
export function readOperationsFile(path: string): Operation[] {
  try {
    return new OpenApiReader(readFileSync(path, 'utf8')).readOperations();
  } catch (error) {
    throw new RunError(
      'usageError',
      `--document ${path} is invalid: ${(error as Error).message}. Use an OpenAPI 3.1 document in JSON.`,
    );
  }
}

class OpenApiReader {
  private readonly document: OpenAPIObject;
  private readonly ajv = new Ajv2020({ strict: false, logger: false });

  constructor(json: string) {
    // Absolute references can be resolved in every schema.
    this.document = JSON.parse(json, (key, value: unknown) =>
      key === '$ref' ? DOCUMENT_ID + String(value) : value,
    ) as OpenAPIObject;
    const openapi = (this.document as Partial<OpenAPIObject> | null)?.openapi;
    if (!openapi?.startsWith('3.1')) throw new Error(`version ${openapi}`);
    addFormats.default(this.ajv);
    this.ajv.addSchema(this.document, DOCUMENT_ID);
  }

  readOperations(): Operation[] {
    const { paths = {} } = this.document as Partial<OpenAPIObject>;
    const operations = Object.entries(paths).flatMap(([route, pathItem]) =>
      METHODS.filter((method) => pathItem[method]).map((method) =>
        this.readOperation(route, pathItem, method),
      ),
    );
    if (operations.length === 0) throw new Error('no operations');
    return operations;
  }

  private readOperation(
    route: string,
    pathItem: PathItemObject,
    method: (typeof METHODS)[number],
  ): Operation {
    const operation = pathItem[method] as OperationObject & { 'x-smoke-test'?: unknown };
    const parameters = [...(pathItem.parameters ?? []), ...(operation.parameters ?? [])]
      .map((parameter) => this.resolve<ParameterObject>(parameter))
      .filter(({ required }) => required);
    const { requestBody, security = this.document.security ?? [] } = operation;
    const isPlainGet = method === 'get' && parameters.length === 0;
    const smokeTest = readSmokeTest(operation['x-smoke-test'] ?? isPlainGet);
    return {
      method: method.toUpperCase(),
      route,
      path: smokeTest ? fillParameters(route, parameters) : route,
      tags: operation.tags ?? [],
      credentials: security.map((requirement) =>
        Object.keys(requirement).map((name) => this.readCredential(name)),
      ),
      body: requestBody && readExample(this.resolve(requestBody)),
      responses: Object.fromEntries(
        Object.entries(operation.responses).map(([status, response]) => [
          status,
          this.readResponse(this.resolve(response as ResponseObject)),
        ]),
      ),
      smokeTest,
    };
  }

  private readCredential(name: string): string {
    const scheme = this.document.components?.securitySchemes?.[name];
    const {
      type,
      in: location,
      name: header = '',
      scheme: httpScheme,
    } = this.resolve<SecuritySchemeObject>(scheme ?? { type: 'http' });
    if (type === 'apiKey') return location === 'header' ? header.toLowerCase() : name;
    return httpScheme?.toLowerCase() === 'basic' ? 'basic' : 'bearer';
  }

  private readResponse({ content = {}, headers = {} }: ResponseObject): DocumentedResponse {
    return {
      content: Object.fromEntries(
        Object.entries(content).map(([type, { schema = {} }]) => [
          type,
          (body: unknown) => this.findViolations(schema, body),
        ]),
      ),
      headers: Object.keys(headers).map((name) => name.toLowerCase()),
    };
  }

  private findViolations(schema: object, body: unknown): string[] {
    try {
      this.ajv.validate(schema, body);
    } catch (error) {
      return [(error as Error).message];
    }
    return (this.ajv.errors ?? []).map(({ instancePath, message = '', params }) => {
      const values = (params.allowedValues ?? params.allowedValue) as unknown;
      const suffix = values === undefined ? '' : `: ${JSON.stringify(values)}`;
      return `${instancePath || 'it'} ${message}${suffix}`;
    });
  }

  private resolve<T extends object>(node: T | { $ref: string }): T {
    if (!('$ref' in node)) return node;
    const [, ...keys] = node.$ref.split('/');
    const target = keys.reduce<unknown>(
      (parent, key) => (parent as Record<string, unknown> | undefined)?.[key],
      this.document,
    );
    if (target === undefined) throw new Error(`no ${node.$ref}`);
    return target as T;
  }
}

function readSmokeTest(extension: unknown): SmokeTest | undefined {
  if (extension === true) return {};
  return typeof extension === 'object' && extension !== null ? extension : undefined;
}

function readExample({ content }: RequestBodyObject): unknown {
  const media = content['application/json'];
  const [first] = Object.values(media?.examples ?? {}) as { value?: unknown }[];
  return media && (media.example ?? first?.value ?? {});
}

/** Replaces required parameters with their examples. */
function fillParameters(route: string, parameters: ParameterObject[]): string {
  let path = route;
  const query = new URLSearchParams();
  for (const { name, in: location, example, schema } of parameters) {
    const value = (example ?? (schema as { example?: unknown } | undefined)?.example) as
      string | number | undefined;
    if (value === undefined || !['path', 'query'].includes(location)) {
      throw new Error(`no example for the parameter ${name} of ${route}`);
    }
    if (location === 'query') query.append(name, String(value));
    else path = path.replace(`{${name}}`, encodeURIComponent(value));
  }
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}
