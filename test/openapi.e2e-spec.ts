import type {
  ContentObject,
  OpenAPIObject,
  OperationObject,
  ParameterObject,
  RequestBodyObject,
  ResponseObject,
  SchemaObject,
} from '@nestjs/swagger';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import request, { type Response } from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { AdoptionsModule } from './fixtures/features/adoptions/adoptions.module.js';
import { parseResponses, sendRaw } from './fixtures/http.js';

/** An operation of the document with a URL that matches its path. */
interface Operation {
  id: string;
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  url: string;
  definition: OperationObject;
}

let app: TestApp['app'];
let document: OpenAPIObject;
/** The operations of the platform, of the smoke checks, and of a feature. */
let operations: Operation[];
/** The operations of the platform and the smoke checks. */
let ownOperations: Operation[];

const ADOPTIONS = { ADOPTIONS_SHELTER: 'Hamburg' };
const OWN_TAGS = ['System Health', 'Health & Monitoring'];
const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);

beforeAll(async () => {
  ({ app } = await createTestApp({ settings: ADOPTIONS, features: [AdoptionsModule] }));
  const response = await request(app.getHttpServer()).get('/openapi.json').expect(200);
  document = response.body as OpenAPIObject;
  ajv.addSchema(document, 'document');
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, OperationObject>).map(([method, definition]) => ({
      id: definition.operationId ?? '',
      method: method as Operation['method'],
      path,
      url: fillPath(path, definition),
      definition,
    })),
  );
  // `nest generate resource` adds other features to app.module.ts.
  operations = operations.filter((operation) => hasTag(operation, [...OWN_TAGS, 'Adoptions']));
  ownOperations = operations.filter((operation) => hasTag(operation, OWN_TAGS));
});

function hasTag({ definition: { tags = [] } }: Operation, expected: string[]): boolean {
  return tags.some((tag) => expected.includes(tag));
}

/** Replaces the parameters of a path by their examples. */
function fillPath(path: string, definition: OperationObject): string {
  const parameters = (definition.parameters ?? []) as ParameterObject[];
  return path.replace(/\{(\w+)\}/g, (_, name) =>
    String(parameters.find((parameter) => parameter.name === name)?.example),
  );
}

function getProperty(schema: string, property: string): SchemaObject {
  const { properties = {} } = document.components?.schemas?.[schema] as SchemaObject;
  return properties[property] as SchemaObject;
}

/** Validates a value against the schema at a location of the document. */
function findSchemaErrors(value: unknown, ...location: string[]): unknown[] {
  const pointer = location.map((key) => key.replace(/~/g, '~0').replace(/\//g, '~1')).join('/');
  const validate = ajv.compile({ $ref: `document#/${encodeURI(pointer)}` });
  return validate(value) ? [] : (validate.errors ?? []);
}

/** Checks that the document describes the status, headers and body of a response. */
function expectDocumented(
  { id, path, method, definition }: Operation,
  { status, headers, text }: Pick<Response, 'status' | 'headers' | 'text'>,
): void {
  const key = status in definition.responses ? String(status) : 'default';
  const documented = definition.responses[key] as ResponseObject | undefined;
  const received = headers as Record<string, string>;
  const type = String(received['content-type']);
  const missingHeaders = Object.keys(documented?.headers ?? {}).filter(
    (name) => !(name.toLowerCase() in received),
  );
  expect({ id, status, types: Object.keys(documented?.content ?? {}), missingHeaders }).toEqual({
    id,
    status,
    types: [type],
    missingHeaders: [],
  });
  const location = ['paths', path, method, 'responses', key, 'content', type, 'schema'];
  expect([id, status, findSchemaErrors(JSON.parse(text), ...location)]).toEqual([id, status, []]);
}

/** Sends the documented example of an operation. */
function sendExample({ method, url, definition }: Operation, target = app) {
  const body = definition.requestBody as RequestBodyObject | undefined;
  const example = body?.content['application/json']?.example as object | undefined;
  return request(target.getHttpServer())[method](url).send(example);
}

describe('GET /openapi.json', () => {
  it('returns an OpenAPI 3.1 document', async () => {
    await request(app.getHttpServer())
      .get('/openapi.json')
      .expect('Content-Type', 'application/json; charset=utf-8')
      .expect(200);
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toEqual({
      title: 'PetSage API',
      description:
        'The official backend API for the PetSage platform, providing services for pet care, advice, and community interaction.',
      version: '1.0.0',
      contact: {
        name: 'PetSage Support',
        url: 'https://petsage.io/support',
        email: 'support@petsage.io',
      },
    });
  });
});

describe('the OpenAPI document', () => {
  it('contains the smoke checks with their tags and summaries', () => {
    const found = operations.map(({ method, path, definition: { tags, summary } }) => [
      `${method} ${path}`,
      tags,
      summary,
    ]);
    expect(found).toEqual(
      expect.arrayContaining([
        ['get /api/v1/smoke-test', ['Health & Monitoring'], 'Perform a simple smoke test'],
        ['get /system/healthz', ['System Health'], 'Perform a System Health Check'],
        ['get /smoke-test', ['System Health'], 'Perform a System Smoke Test'],
        ['get /v1/health/smoke-test', ['Health & Monitoring'], 'Perform a System Smoke Test'],
        ['post /api/v1/system/smoke-test', ['System Health'], 'Perform a simple smoke test'],
      ]),
    );
  });

  it('gives each operation a description and a unique id without a controller prefix', () => {
    const ids = operations.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['checkLiveness', 'getReadiness', 'getInfo']));
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, definition } of ownOperations) {
      expect([id, definition.description]).toEqual([
        expect.stringMatching(/^[a-z][A-Za-z]+$/),
        expect.stringMatching(/\w.{20,}\.$/),
      ]);
    }
  });

  it('declares each tag of the platform with a description', () => {
    const description = expect.stringMatching(/\.$/) as string;
    expect(document.tags).toEqual(
      expect.arrayContaining([
        { name: 'Health & Monitoring', description },
        { name: 'System Health', description },
      ]),
    );
    const declared = document.tags?.map(({ name }) => name);
    expect(declared).toEqual(
      expect.arrayContaining(ownOperations.flatMap(({ definition: { tags = [] } }) => tags)),
    );
  });

  it('documents a success, 422 for a body or a parameter, and one default for other errors', () => {
    for (const { id, definition } of operations) {
      const { requestBody, parameters = [], responses } = definition;
      const statuses = Object.keys(responses);
      expect([id, statuses.filter((status) => status.startsWith('2'))]).toEqual([
        id,
        [expect.any(String)],
      ]);
      const hasInput = requestBody !== undefined || parameters.length > 0;
      expect([id, statuses.includes('422')]).toEqual([id, hasInput]);
      expect(responses.default).toMatchObject({
        content: { 'application/json': { schema: { $ref: '#/components/schemas/HTTPError' } } },
      });
    }
  });

  it('documents 503 for the checks that can fail', () => {
    const with503 = ownOperations.filter(({ definition }) => '503' in definition.responses);
    expect(with503.map(({ path }) => path).sort()).toEqual([
      '/system/readyz',
      '/v1/health/smoke-test',
    ]);
  });

  it('describes validation errors as FastAPI does', () => {
    expect(document.components?.schemas).toMatchObject({
      HTTPValidationError: {
        properties: {
          detail: { type: 'array', items: { $ref: '#/components/schemas/ValidationError' } },
        },
      },
      ValidationError: {
        required: ['type', 'loc', 'msg'],
        properties: {
          loc: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'integer' }] } },
          msg: { type: 'string' },
          type: { type: 'string' },
        },
      },
    });
    // A keyword that constrains the value, such as anyOf, breaks generated Java clients.
    const { title, ...annotations } = getProperty('ValidationError', 'input');
    expect(title).toBe('Input');
    expect(['description', 'example']).toEqual(expect.arrayContaining(Object.keys(annotations)));
  });

  it.each([
    'OperationalResponse',
    'LivenessResponse',
    'BuilderResponse',
    'LoggingResponse',
    'EchoResponse',
  ])('fixes the status of %s, but not its message', (schema) => {
    expect(getProperty(schema, 'status')).toMatchObject({ type: 'string', enum: ['ok'] });
    const message = getProperty(schema, 'message');
    expect(message).toMatchObject({
      type: 'string',
      example: expect.stringMatching(/^PetSage /) as string,
    });
    expect(message).not.toHaveProperty('enum');
    expect(message).not.toHaveProperty('const');
  });

  it('describes timestamps as date-time', () => {
    const location = ['components', 'schemas', 'EchoResponse', 'properties', 'timestamp'];
    expect(findSchemaErrors('2026-01-31T12:00:00.000Z', ...location)).toEqual([]);
    expect(findSchemaErrors('now', ...location)).not.toEqual([]);
  });

  it('has a valid example for each body', () => {
    for (const { id, path, method, definition } of operations) {
      const { requestBody, responses } = definition as {
        requestBody?: RequestBodyObject;
        responses: Record<string, ResponseObject>;
      };
      const bodies: [location: string[], ContentObject | undefined][] = [
        [['requestBody'], requestBody?.content],
      ];
      for (const [status, { content }] of Object.entries(responses)) {
        bodies.push([['responses', status], content]);
      }
      for (const [location, content] of bodies) {
        for (const [type, { example }] of Object.entries(content ?? {})) {
          const schema = ['paths', path, method, ...location, 'content', type, 'schema'];
          expect([id, example]).not.toEqual([id, undefined]);
          expect([id, location, findSchemaErrors(example, ...schema)]).toEqual([id, location, []]);
        }
      }
    }
  });
});

describe('the documented operations', () => {
  it('respond to their example with a documented status', async () => {
    for (const operation of operations) expectDocumented(operation, await sendExample(operation));
  });

  it('of the platform respond to their example with the documented success', async () => {
    for (const operation of ownOperations) {
      const response = await sendExample(operation);
      const statuses = Object.keys(operation.definition.responses);
      expect([operation.id, statuses.find((status) => status.startsWith('2'))]).toEqual([
        operation.id,
        String(response.status),
      ]);
      expectDocumented(operation, response);
    }
  });

  it.each<[status: number, title: string, body: string | Buffer, headers?: Record<string, string>]>(
    [
      [400, 'a body that is not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
      [413, 'a large body', `"${'a'.repeat(200_000)}"`],
      [415, 'an unknown content encoding', '{}', { 'Content-Encoding': 'rot13' }],
      [422, 'an array', '[1]'],
      [422, 'broken JSON', '{'],
      [422, 'an empty body', ''],
    ],
  )('respond with a documented %i to %s', async (status, _, body, headers = {}) => {
    const withBody = ownOperations.filter(({ definition }) => definition.requestBody);
    expect(withBody).not.toEqual([]);
    for (const operation of withBody) {
      const response = await request(app.getHttpServer())
        [operation.method](operation.url)
        .type('json')
        .set(headers)
        .serialize(() => body as string)
        .send({});
      expect([operation.id, response.status]).toEqual([operation.id, status]);
      expectDocumented(operation, response);
    }
  });

  it('respond with a documented 400 without a Host header', async () => {
    for (const operation of operations) {
      const { method, url } = operation;
      const head = `${method.toUpperCase()} ${url} HTTP/1.1\r\nConnection: close\r\n\r\n`;
      const [response] = parseResponses(await sendRaw(app, head));
      const lines = response?.headers.map((line) => line.toLowerCase().split(': ')) ?? [];
      expect([operation.id, response?.status]).toEqual([operation.id, 400]);
      expectDocumented(operation, {
        status: 400,
        headers: Object.fromEntries(lines) as Record<string, string>,
        text: String(response?.body),
      });
    }
  });

  it('respond with a documented 500 to an unexpected error', async () => {
    const faulty = await createTestApp({
      settings: ADOPTIONS,
      features: [AdoptionsModule],
      prepare: (unready) => {
        unready.useGlobalGuards({
          canActivate: () => {
            throw new Error('unexpected');
          },
        });
      },
    });
    for (const operation of operations) {
      const response = await sendExample(operation, faulty.app);
      expect([operation.id, response.status]).toEqual([operation.id, 500]);
      expectDocumented(operation, response);
    }
  });
});

describe('GET /docs', () => {
  it.each(['/docs', '/docs/'])('returns Swagger UI with local assets for %s', async (path) => {
    const { text: html } = await request(app.getHttpServer())
      .get(path)
      .expect('Content-Type', 'text/html; charset=utf-8')
      .expect(200);
    expect(html).toContain('<title>PetSage API</title>');
    const links = [...html.matchAll(/(?:src|href)=["']([^"']+)/g)].map(([, link]) => String(link));
    expect(links).toHaveLength(6);
    for (const link of links) {
      const { host, pathname } = new URL(link, `http://localhost${path}`);
      expect([link, host]).toEqual([link, 'localhost']);
      const asset = await request(app.getHttpServer()).get(pathname);
      expect([link, asset.status]).toEqual([link, 200]);
    }
  });

  it('has a content security policy for Swagger UI', async () => {
    await request(app.getHttpServer())
      .get('/docs')
      .expect(
        'Content-Security-Policy',
        "default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data: blob:;connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'",
      );
  });
});
