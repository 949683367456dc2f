import { verifyResponse } from './assertions.js';
import type { HttpResponse } from './http-connection.js';
import type { DocumentedResponse } from './openapi-reader.js';
import type { Probe } from './probes.js';

const JSON_TYPE = 'application/json';

function createProbe(probe: Partial<Probe>): Probe {
  return {
    name: 'GET /pets',
    method: 'GET',
    route: '/pets',
    path: '/pets',
    tags: [],
    responses: {},
    expectedStatus: '2XX',
    ...probe,
  };
}

/** Documents a JSON response whose schema requires a field. */
function document(field: string, headers: string[] = []): DocumentedResponse {
  const validate = (body: unknown) => (Object.hasOwn(Object(body) as object, field) ? [] : [field]);
  return { content: { [JSON_TYPE]: validate }, headers };
}

/** Creates a response that has everything a JSON response must have. */
function respond(status: number, body: unknown, headers: HttpResponse['headers'] = {}) {
  return {
    requestId: 'petsage-smoke-1',
    status,
    headers: {
      'content-type': JSON_TYPE,
      'cache-control': 'no-store',
      'x-request-id': 'petsage-smoke-1',
      ...headers,
    },
    text: JSON.stringify(body),
    durationMs: 1,
    isConnectionReused: true,
  };
}

describe('verifyResponse', () => {
  describe('status', () => {
    const pet = { name: 'Tom' };
    const error = { detail: 'No' };

    it.each<[string, string[], Probe['expectedStatus'], number, object, string[]]>([
      ['a documented status', ['200'], '2XX', 200, pet, []],
      ['a documented range', ['2XX'], '2XX', 204, pet, []],
      ['an error', ['200'], '2XX', 503, error, ['expected status 200, got 503: {"detail":"No"}']],
      [
        'an error',
        ['200', '201'],
        '2XX',
        500,
        error,
        ['expected status 200 or 201, got 500: {"detail":"No"}'],
      ],
      ['an error', [], '2XX', 500, error, ['expected status 2XX, got 500: {"detail":"No"}']],
      [
        'an undocumented success',
        ['201', 'default'],
        '2XX',
        200,
        pet,
        ['expected status 200 in the document, got only 201, default'],
      ],
      ['a success that only default documents', ['default'], '2XX', 200, error, []],
      ['a documented rejection', ['200', '422'], '422', 422, error, []],
      ['a rejection that a range documents', ['200', '4XX', 'default'], '422', 422, error, []],
      ['a rejection that default documents', ['200', 'default'], '422', 422, error, []],
      [
        'an undocumented rejection',
        ['200'],
        '422',
        422,
        error,
        ['expected status 422 in the document, got only 200'],
      ],
      [
        'an accepted wrong body',
        ['200', '422'],
        '422',
        200,
        pet,
        ['expected status 422, got 200: {"name":"Tom"}'],
      ],
    ])('%s with %j documented', (_, documented, expectedStatus, status, body, failures) => {
      const responses = Object.fromEntries(
        documented.map((key) => [key, document(key.startsWith('2') ? 'name' : 'detail')]),
      );
      const probe = createProbe({ responses, expectedStatus });
      expect(verifyResponse(probe, respond(status, body))).toEqual(failures);
    });

    it('names the target of a redirect', () => {
      const response = { ...respond(301, {}, { location: 'https://example.com/' }), text: '' };
      const probe = createProbe({ responses: { 200: document('name') } });
      expect(verifyResponse(probe, response)).toEqual([
        'expected status 200, got 301 to https://example.com/',
      ]);
    });

    it('prefers a status to a range, and a range to default', () => {
      const [status, range, others] = [document('a'), document('b'), document('c')];
      const verify = (responses: Probe['responses'], body: object) =>
        verifyResponse(createProbe({ responses, expectedStatus: '422' }), respond(422, body));
      expect(verify({ 422: status, '4XX': range, default: others }, { a: 1 })).toEqual([]);
      expect(verify({ '4XX': range, default: others }, { b: 1 })).toEqual([]);
    });
  });

  const probe = createProbe({ responses: { 200: document('name') } });
  const pet = { name: 'Tom' };

  describe('headers', () => {
    it('reports every header that is missing', () => {
      const headers = { 'x-request-id': undefined, 'cache-control': undefined };
      expect(verifyResponse(probe, respond(200, pet, headers))).toEqual([
        'expected X-Request-Id petsage-smoke-1, got none',
        'expected Cache-Control no-store, got none',
      ]);
    });

    it('requires the request id of the request', () => {
      expect(verifyResponse(probe, respond(200, pet, { 'x-request-id': 'other' }))).toEqual([
        'expected X-Request-Id petsage-smoke-1, got "other"',
      ]);
    });

    it('accepts another Cache-Control when the header is documented', () => {
      const headers = { 'cache-control': 'max-age=60' };
      expect(verifyResponse(probe, respond(200, pet, headers))).toHaveLength(1);
      const documented = createProbe({ responses: { 200: document('name', ['cache-control']) } });
      expect(verifyResponse(documented, respond(200, pet, headers))).toEqual([]);
    });

    it('requires no Cache-Control for other content than JSON', () => {
      const content = { 'text/csv': () => [] };
      const csv = createProbe({ responses: { 200: { content, headers: [] } } });
      const headers = { 'content-type': 'text/csv', 'cache-control': undefined };
      expect(verifyResponse(csv, respond(200, pet, headers))).toEqual([]);
    });

    it.each([
      ['application/json', 'application/json; charset=utf-8', []],
      ['application/json', 'Application/JSON', []],
      ['application/*', 'application/json', []],
      ['*/*', 'application/json', []],
      [
        'application/json',
        'application/jsonp',
        ['expected Content-Type application/json, got "application/jsonp"'],
      ],
      ['application/json', undefined, ['expected Content-Type application/json, got none']],
    ])('compares the documented Content-Type %s with %s', (documented, type, failures) => {
      const responses = { 200: { content: { [documented]: () => [] }, headers: [] } };
      const response = respond(200, pet, { 'content-type': type });
      expect(verifyResponse(createProbe({ responses }), response)).toEqual(failures);
    });
  });

  describe('body', () => {
    it('must match the schema', () => {
      expect(verifyResponse(probe, respond(200, {}))).toEqual([
        'expected the body to match its schema (name), got {}',
      ]);
    });

    it('must be JSON when the content type says so', () => {
      expect(verifyResponse(probe, { ...respond(200, pet), text: '{' })).toEqual([
        'expected JSON, got {',
      ]);
    });

    it('is ignored for HEAD', () => {
      const head = createProbe({ ...probe, method: 'HEAD', now: 'at' });
      expect(verifyResponse(head, { ...respond(200, pet), text: '' })).toEqual([]);
    });
  });

  describe('fields', () => {
    const now = createProbe({ ...probe, now: 'at' });
    const echo = createProbe({ ...probe, fields: { pong: 'nonce' } });

    it('must have the current time', () => {
      const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
      expect(verifyResponse(now, respond(200, { ...pet, at: new Date() }))).toEqual([]);
      expect(verifyResponse(now, respond(200, { ...pet, at: hourAgo }))).toEqual([
        expect.stringMatching(new RegExp(`^expected at \\S+Z, got "${hourAgo}"$`)),
      ]);
      expect(verifyResponse(now, respond(200, pet))).toEqual([
        expect.stringMatching(/^expected at \S+Z, got none$/),
      ]);
    });

    it('must echo a value', () => {
      expect(verifyResponse(echo, respond(200, { ...pet, pong: 'nonce' }))).toEqual([]);
      expect(verifyResponse(echo, respond(200, { ...pet, pong: 1 }))).toEqual([
        'expected pong nonce, got 1',
      ]);
    });

    it('are missing in other content than JSON', () => {
      const text = createProbe({ ...echo, responses: { 200: { content: {}, headers: [] } } });
      expect(verifyResponse(text, respond(200, pet, { 'content-type': 'text/plain' }))).toEqual([
        'expected pong nonce, got none',
      ]);
    });
  });
});
