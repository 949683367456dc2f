import { type Operation, readOperations } from './openapi-reader.js';

function read(paths: object, components = {}): Operation[] {
  return readOperations(JSON.stringify({ openapi: '3.1.0', paths, components }));
}

/** Reads a document with one operation. */
function readOne(operation: object, { method = 'get', route = '/pets', components = {} } = {}) {
  const [first] = read({ [route]: { [method]: { responses: {}, ...operation } } }, components);
  if (!first) throw new Error('no operation');
  return first;
}

describe('readOperations', () => {
  it('reads each method of each path', () => {
    const operation = { responses: {} };
    const operations = read({
      '/pets': { get: operation, post: operation, summary: 'Pets' },
      '/pets/{id}': { delete: operation },
    });
    expect(operations.map(({ method, route }) => `${method} ${route}`)).toEqual([
      'GET /pets',
      'POST /pets',
      'DELETE /pets/{id}',
    ]);
  });

  it('reads tags, and has none by default', () => {
    expect(readOne({ tags: ['Pets'] }).tags).toEqual(['Pets']);
    expect(readOne({}).tags).toEqual([]);
  });

  it.each([
    [undefined, []],
    [
      [{ bearer: [] }, {}],
      [['bearer'], []],
    ],
    [[{ login: ['pets:read'], key: [] }], [['bearer', 'x-api-key']]],
    [
      [{ basic: [] }, { cookie: [] }],
      [['basic'], ['cookie']],
    ],
  ])('reads the credentials of the security %j', (security, credentials) => {
    const securitySchemes = {
      bearer: { type: 'http', scheme: 'bearer' },
      basic: { type: 'http', scheme: 'Basic' },
      login: { type: 'openIdConnect', openIdConnectUrl: 'https://id.example.com' },
      key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      cookie: { type: 'apiKey', in: 'cookie', name: 'session' },
    };
    expect(readOne({ security }, { components: { securitySchemes } }).credentials).toEqual(
      credentials,
    );
  });

  describe('smokeTest', () => {
    const id = { in: 'path', name: 'id', required: true, example: 1 };
    const page = { in: 'query', name: 'page', required: false };

    it.each<[string, string, object, object | undefined]>([
      ['a GET operation', 'get', {}, {}],
      ['a GET operation with an optional parameter', 'get', { parameters: [page] }, {}],
      ['a GET operation with a required parameter', 'get', { parameters: [id] }, undefined],
      ['a GET operation that is marked false', 'get', { 'x-smoke-test': false }, undefined],
      ['a POST operation', 'post', {}, undefined],
      [
        'a POST operation that is marked with a string',
        'post',
        { 'x-smoke-test': 'false' },
        undefined,
      ],
      ['a POST operation that is marked true', 'post', { 'x-smoke-test': true }, {}],
      [
        'a POST operation that is marked with assertions',
        'post',
        { 'x-smoke-test': { now: 'at' } },
        { now: 'at' },
      ],
    ])('of %s', (_, method, operation, smokeTest) => {
      expect(readOne(operation, { method, route: '/pets/{id}' }).smokeTest).toEqual(smokeTest);
    });
  });

  describe('path', () => {
    it('has the examples of required parameters', () => {
      const parameters = [
        { in: 'path', name: 'id', required: true, example: 'a/b' },
        { in: 'query', name: 'owner', required: true, schema: { example: 'Ann & Bob' } },
        { in: 'query', name: 'page', required: false, example: 2 },
      ];
      const operation = readOne(
        { parameters, 'x-smoke-test': true },
        { route: '/pets/{id}/visits' },
      );
      expect(operation.path).toBe('/pets/a%2Fb/visits?owner=Ann+%26+Bob');
    });

    it.each(['path', 'header'])('throws without an example of a %s parameter', (location) => {
      const parameters = [{ in: location, name: 'id', required: true }];
      expect(() => readOne({ parameters, 'x-smoke-test': true }, { route: '/pets/{id}' })).toThrow(
        'expected an OpenAPI 3.1 document, got no example for the parameter id of /pets/{id}',
      );
    });

    it('reads the parameters of the path and of the components', () => {
      const [operation] = read(
        {
          '/pets/{id}': {
            parameters: [{ $ref: '#/components/parameters/id' }],
            get: { 'x-smoke-test': true, responses: {} },
          },
        },
        { parameters: { id: { in: 'path', name: 'id', required: true, example: 7 } } },
      );
      expect(operation?.path).toBe('/pets/7');
    });
  });

  describe('body', () => {
    it.each([
      ['example', { example: { name: 'Tom' } }, { name: 'Tom' }],
      [
        'first of several examples',
        { examples: { cat: { value: { name: 'Tom' } } } },
        { name: 'Tom' },
      ],
      ['empty object without an example', {}, {}],
    ])('is the %s', (_, media, body) => {
      const requestBody = { content: { 'application/json': media } };
      expect(readOne({ requestBody }, { method: 'post' }).body).toEqual(body);
    });

    it('is absent when the operation does not accept JSON', () => {
      const requestBody = { content: { 'text/plain': { example: 'Tom' } } };
      expect(readOne({ requestBody }, { method: 'post' }).body).toBeUndefined();
      expect(readOne({}, { method: 'post' }).body).toBeUndefined();
    });
  });

  describe('responses', () => {
    const json = (schema: object) => ({ content: { 'application/json': { schema } } });
    const violate = (operation: Operation, status: string, body: unknown) =>
      operation.responses[status]?.content['application/json']?.(body);

    it('have lower-case header names', () => {
      const operation = readOne({ responses: { 200: { headers: { 'Cache-Control': {} } } } });
      expect(operation.responses).toEqual({ 200: { content: {}, headers: ['cache-control'] } });
    });

    it('validate a body against references to the components', () => {
      const components = {
        responses: { Error: json({ $ref: '#/components/schemas/Error' }) },
        schemas: {
          Error: {
            type: 'object',
            required: ['detail'],
            properties: { detail: { type: 'string' } },
          },
          Pet: { properties: { kind: { enum: ['cat', 'dog'] }, at: { format: 'date-time' } } },
        },
      };
      const responses = {
        200: json({ $ref: '#/components/schemas/Pet' }),
        default: { $ref: '#/components/responses/Error' },
      };
      const operation = readOne({ responses }, { components });
      expect(violate(operation, '200', { kind: 'cat', at: '2026-01-31T12:00:00Z' })).toEqual([]);
      expect(violate(operation, '200', { kind: 'bird' })).toEqual([
        '/kind must be equal to one of the allowed values: ["cat","dog"]',
      ]);
      expect(violate(operation, '200', { at: 'noon' })).toEqual([
        '/at must match format "date-time"',
      ]);
      expect(violate(operation, 'default', { detail: 'Not Found' })).toEqual([]);
      expect(violate(operation, 'default', {})).toEqual([
        "it must have required property 'detail'",
      ]);
    });

    it('reject every body when the schema has a broken reference', () => {
      const operation = readOne({ responses: { 200: json({ $ref: '#/nowhere' }) } });
      expect(violate(operation, '200', {})).toEqual([expect.stringContaining("can't resolve")]);
    });

    it('accept every body without a schema', () => {
      const operation = readOne({ responses: { 200: { content: { 'application/json': {} } } } });
      expect(violate(operation, '200', [1])).toEqual([]);
    });
  });

  it.each([
    ['<html>', 'is not valid JSON'],
    ['null', 'got version undefined'],
    ['{"swagger":"2.0"}', 'got version undefined'],
    ['{"openapi":"3.0.0","paths":{}}', 'got version 3.0.0'],
    ['{"openapi":"3.1.0","paths":{}}', 'got no operations'],
    ['{"openapi":"3.1.0"}', 'got no operations'],
    ['{"openapi":"3.1.0","paths":{"/":{"get":5}}}', 'Cannot convert undefined or null to object'],
    [
      '{"openapi":"3.1.0","paths":{"/":{"get":{"responses":{"200":{"$ref":"#/nowhere"}}}}}}',
      'got no openapi.json#/nowhere',
    ],
  ])('throws for the document %s', (json, reason) => {
    expect(() => readOperations(json)).toThrow('expected an OpenAPI 3.1 document, got ');
    expect(() => readOperations(json)).toThrow(reason);
  });
});
