import { readFileSync } from 'node:fs';
import type {
  ContentObject,
  OpenAPIObject,
  OperationObject,
  ParameterObject,
  RequestBodyObject,
  ResponseObject,
} from '@nestjs/swagger';
import { parseYaml } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { type Answer, send, sendRaw } from './fixtures/http.js';

/** An operation of the document, ready to be called. */
interface Operation {
  id: string;
  method: string;
  path: string;
  url: string;
  operation: OperationObject;
}

let app: TestApp['app'];
let document: OpenAPIObject;
let operations: Operation[];
const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);

beforeAll(async () => {
  ({ app } = await createTestApp());
  document = JSON.parse((await send(app, 'GET', '/openapi.json')).text) as OpenAPIObject;
  ajv.addSchema(document, 'document');
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, OperationObject>).map(([method, operation]) => ({
      id: operation.operationId ?? '',
      method: method.toUpperCase(),
      path,
      url: path.replace(/\{(\w+)\}/g, (_, name: string) => {
        const parameters = (operation.parameters ?? []) as ParameterObject[];
        return String(parameters.find((parameter) => parameter.name === name)?.example);
      }),
      operation,
    })),
  );
});

/** What a value breaks of the schema at a place of the document. */
function faults(value: unknown, ...place: string[]): unknown {
  const pointer = place.map((key) => key.replace(/~/g, '~0').replace(/\//g, '~1')).join('/');
  const validate = ajv.compile({ $ref: `document#/${encodeURI(pointer)}` });
  return validate(value) ? [] : validate.errors;
}

/** What an answer breaks of what the document says of it. */
function broken({ id, path, method, operation }: Operation, answer: Answer): unknown[] {
  const status = String(answer.status);
  const response = operation.responses[status] as ResponseObject | undefined;
  if (!response) return [`${id} answers ${status}, which is not documented`];
  const missing = Object.keys(response.headers ?? {}).filter(
    (name) => !(name.toLowerCase() in answer.headers),
  );
  const type = answer.headers['content-type'] ?? '';
  if (!response.content?.[type]) return [`${id} ${status} is ${type}, which is not documented`];
  const place = ['paths', path, method.toLowerCase(), 'responses', status, 'content', type];
  const wrong = faults(JSON.parse(answer.text), ...place, 'schema') as unknown[];
  return [...missing, ...wrong].map((fault) => ({ id, status, fault }));
}

describe('GET /openapi.json', () => {
  it('is the OpenAPI 3.1 document that is committed', async () => {
    const answer = await send(app, 'GET', '/openapi.json');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(JSON.parse(answer.text)).toEqual(JSON.parse(readFileSync('openapi.json', 'utf8')));
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

  it('is as YAML at /openapi.yaml', async () => {
    const answer = await send(app, 'GET', '/openapi.yaml');
    expect(answer.status).toBe(200);
    expect(parseYaml(answer.text)).toEqual(document);
  });

  it('has the five systems under their tags and summaries', () => {
    expect(
      operations.map(({ method, path, operation }) => [
        method,
        path,
        operation.tags,
        operation.summary,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['GET', '/api/v1/smoke-test', ['Health & Monitoring'], 'Perform a simple smoke test'],
        ['GET', '/system/healthz', ['System Health'], 'Perform a System Health Check'],
        ['GET', '/smoke-test', ['System Health'], 'Perform a System Smoke Test'],
        ['GET', '/v1/health/smoke-test', ['Health & Monitoring'], 'Perform a System Smoke Test'],
        ['POST', '/api/v1/system/smoke-test', ['System Health'], 'Perform a simple smoke test'],
      ]),
    );
  });

  it('describes each operation under an id of its own', () => {
    expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length);
    for (const { id, operation } of operations) {
      expect([id, operation.description]).toEqual([
        expect.stringMatching(/^\w+$/),
        expect.stringMatching(/\w.{20,}\.$/),
      ]);
    }
  });

  it('names the schemas of a 422 as FastAPI does', () => {
    const { schemas } = document.components ?? {};
    expect(schemas).toMatchObject({
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
  });

  it('fixes the words of the contract and the form of timestamps', () => {
    const fixed = (schema: string, property: string, value: string) =>
      faults(value, 'components', 'schemas', schema, 'properties', property);
    expect(fixed('LivenessResponse', 'message', 'PetSage API is alive and running!')).toEqual([]);
    expect(fixed('LivenessResponse', 'message', 'PetSage API is alive')).not.toEqual([]);
    expect(fixed('LivenessResponse', 'status', 'error')).not.toEqual([]);
    expect(fixed('EchoResponse', 'timestamp', '2026-01-31T12:00:00.000Z')).toEqual([]);
    expect(fixed('EchoResponse', 'timestamp', 'now')).not.toEqual([]);
  });

  it('has an example of each body, which is right', () => {
    for (const { id, path, method, operation } of operations) {
      const bodies: [string[], ContentObject | undefined][] = [
        [['requestBody'], (operation.requestBody as RequestBodyObject | undefined)?.content],
        ...Object.entries(operation.responses as Record<string, ResponseObject>).map(
          ([status, { content }]): [string[], ContentObject | undefined] => [
            ['responses', status],
            content,
          ],
        ),
      ];
      for (const [place, content] of bodies) {
        for (const [type, media] of Object.entries(content ?? {})) {
          const schema = ['paths', path, method.toLowerCase(), ...place, 'content', type, 'schema'];
          expect([id, media.example]).not.toEqual([id, undefined]);
          expect([id, place, faults(media.example, ...schema)]).toEqual([id, place, []]);
        }
      }
    }
  });
});

describe('each operation answers what the document says of it:', () => {
  /** A request to an operation with its documented example, or with another body in its place. */
  function call(target: TestApp['app'], operation: Operation, body?: string | Buffer) {
    const { method, url } = operation;
    const content = (operation.operation.requestBody as RequestBodyObject | undefined)?.content;
    const example = content?.['application/json']?.example as unknown;
    if (example === undefined) return send(target, method, url);
    const headers = { 'Content-Type': 'application/json' };
    return send(target, method, url, headers, body ?? JSON.stringify(example));
  }

  /** The operations that document a status. */
  function documenting(status: string): Operation[] {
    const found = operations.filter(({ operation }) => status in operation.responses);
    expect(found).not.toEqual([]);
    return found;
  }

  it('success', async () => {
    for (const operation of operations) {
      const answer = await call(app, operation);
      const statuses = Object.keys(operation.operation.responses);
      expect([operation.id, statuses.find((status) => status.startsWith('2'))]).toEqual([
        operation.id,
        String(answer.status),
      ]);
      expect(broken(operation, answer)).toEqual([]);
    }
  });

  it.each([
    ['400', 'bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['413', 'a large body', `"${'a'.repeat(200_000)}"`],
    ['422', 'another value', '[1]'],
    ['422', 'broken JSON', '{'],
    ['422', 'nothing', ''],
  ])('%s to %s', async (status, _, body) => {
    for (const operation of documenting(status)) {
      if (!operation.operation.requestBody) continue;
      const answer = await call(app, operation, body);
      expect([operation.id, answer.status]).toEqual([operation.id, Number(status)]);
      expect(broken(operation, answer)).toEqual([]);
    }
  });

  it('415 to a content encoding that nobody knows', async () => {
    for (const operation of documenting('415')) {
      const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'rot13' };
      const answer = await send(app, operation.method, operation.url, headers, '{}');
      expect([operation.id, answer.status]).toEqual([operation.id, 415]);
      expect(broken(operation, answer)).toEqual([]);
    }
  });

  it('400 to a request without a host', async () => {
    for (const operation of documenting('400')) {
      const raw = await sendRaw(
        app,
        `${operation.method} ${operation.url} HTTP/1.1\r\nConnection: close\r\n\r\n`,
      );
      const [head = '', text = ''] = raw.split('\r\n\r\n');
      const [line = '', ...lines] = head.split('\r\n');
      const headers = lines.map((header) => header.split(': ') as [string, string]);
      const answer = {
        status: Number(line.split(' ')[1]),
        headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
        text,
      };
      expect([operation.id, answer.status]).toEqual([operation.id, 400]);
      expect(broken(operation, answer)).toEqual([]);
    }
  });

  it('500 to what nobody foresaw', async () => {
    const faulty = await createTestApp({
      prepare(unready) {
        unready.useGlobalGuards({
          canActivate: () => {
            throw new Error('unforeseen');
          },
        });
      },
    });
    for (const operation of documenting('500')) {
      const answer = await call(faulty.app, operation);
      expect([operation.id, answer.status]).toEqual([operation.id, 500]);
      expect(broken(operation, answer)).toEqual([]);
    }
  });
});

describe('GET /docs', () => {
  it.each(['/docs', '/docs/'])('%s is Swagger UI, all of it from this server', async (path) => {
    const { status, text: html, headers } = await send(app, 'GET', path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(html).toContain('<title>PetSage API</title>');
    const links = [...html.matchAll(/(?:src|href)=["']([^"']+)/g)].map(([, link]) => String(link));
    expect(links).toHaveLength(6);
    const base = `http://localhost${path}`;
    for (const link of links) {
      const url = new URL(link, base);
      expect(url.host).toBe('localhost');
      const asset = await send(app, 'GET', url.pathname);
      expect([link, asset.status]).toEqual([link, 200]);
    }
  });

  it('allows a browser only what the page needs', async () => {
    const { headers } = await send(app, 'GET', '/docs');
    expect(headers['content-security-policy']).toBe(
      "default-src 'none';script-src 'self';style-src 'self' 'unsafe-inline';img-src 'self' data:;connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'",
    );
  });

  it('has the document in it', async () => {
    const script = await send(app, 'GET', '/docs/swagger-ui-init.js');
    expect(script.text).toContain('"/api/v1/system/smoke-test"');
  });
});
