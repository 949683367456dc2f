import type { Operation } from './openapi-reader.js';
import { createProbes, type Probe } from './probes.js';

function createOperation(operation: Partial<Operation>): Operation {
  return {
    method: 'GET',
    route: '/pets',
    path: '/pets',
    tags: ['Pets'],
    credentials: [],
    responses: {},
    smokeTest: {},
    ...operation,
  };
}

/** Creates the probes of one operation. */
function create(operation: Partial<Operation>): Probe[] {
  return createProbes([createOperation(operation)], 'nonce').slice(0, -2);
}

describe('createProbes', () => {
  it('calls a GET operation with GET and HEAD', () => {
    const common = { path: '/pets/1', route: '/pets/{id}', tags: ['Pets'], responses: {} };
    const logs = { event: 'listed' };
    expect(create({ ...common, smokeTest: { now: 'at', logs } })).toEqual([
      {
        ...common,
        name: 'GET /pets/{id}',
        method: 'GET',
        expectedStatus: '2XX',
        now: 'at',
        logs,
        fields: {},
      },
      { ...common, name: 'HEAD /pets/{id}', method: 'HEAD', expectedStatus: '2XX' },
    ]);
  });

  it('calls an operation with its example, and with a wrong body', () => {
    const operation = { method: 'POST', body: { name: 'Tom', kind: 'cat' } };
    const [right, wrong, ...others] = create({
      ...operation,
      smokeTest: { echo: { name: 'pet' } },
    });
    expect(right).toMatchObject({
      name: 'POST /pets',
      body: '{"name":"nonce","kind":"cat"}',
      expectedStatus: '2XX',
      fields: { pet: 'nonce' },
    });
    expect(wrong).toMatchObject({
      name: 'POST /pets with a wrong body',
      body: '"not an object"',
      expectedStatus: '422',
    });
    expect(others).toEqual([]);
  });

  it('calls an operation whose body is not an object with broken JSON', () => {
    const bodies = create({ method: 'PUT', body: ['Tom'] }).map(({ body }) => body);
    expect(bodies).toEqual(['["Tom"]', '{']);
  });

  it('calls an operation without a body only once', () => {
    expect(create({ method: 'DELETE' })).toMatchObject([{ name: 'DELETE /pets' }]);
  });

  it('does not call an operation that is not known to be safe', () => {
    expect(create({ smokeTest: undefined })).toEqual([]);
  });

  it('calls an unknown path with GET and HEAD', () => {
    const probes = createProbes([], 'nonce');
    expect(probes).toMatchObject([
      { name: 'GET an unknown path', method: 'GET', expectedStatus: '404' },
      { name: 'HEAD an unknown path', method: 'HEAD', expectedStatus: '404' },
    ]);
    const validate = probes[0]?.responses[404]?.content['application/json'];
    expect(validate?.({ detail: 'Not Found' })).toEqual([]);
    expect(validate?.({ detail: 'No such pet' })).toHaveLength(1);
  });
});
