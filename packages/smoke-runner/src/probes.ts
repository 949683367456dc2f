import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { HttpRequest } from './http-connection.js';
import type { Operation } from './openapi-reader.js';

/** A request with its assertions. */
export interface Probe extends HttpRequest, Pick<Operation, 'route' | 'tags' | 'responses'> {
  /** For example `GET /system/healthz`. */
  name: string;
  expectedStatus: '2XX' | '404' | '422';
  /** The response field that holds the current time. */
  now?: string;
  /** The values of response fields. */
  fields?: Record<string, string>;
  /** The fields of the one log record that the request writes. */
  logs?: Record<string, unknown>;
}

export const DOCUMENT_PROBE: Probe = {
  name: 'GET /openapi.json',
  method: 'GET',
  route: '/openapi.json',
  path: '/openapi.json',
  tags: [],
  responses: { 200: { content: { 'application/json': () => [] }, headers: ['cache-control'] } },
  expectedStatus: '2XX',
};

/**
 * Creates the probes of the operations that are safe to call, and of an unknown path.
 *
 * @param nonce a unique text for the request fields that the service echoes
 */
export function createProbes(operations: Operation[], nonce: string): Probe[] {
  return [
    ...operations.flatMap((operation) => createOperationProbes(operation, nonce)),
    createUnknownPathProbe('GET'),
    createUnknownPathProbe('HEAD'),
  ];
}

function createOperationProbes(operation: Operation, nonce: string): Probe[] {
  const { method, route, path, tags, body: example, responses, smokeTest } = operation;
  if (!smokeTest) return [];
  const { now, logs, echo = {} } = smokeTest;
  const name = `${method} ${route}`;
  const isObject = typeof example === 'object' && example !== null && !Array.isArray(example);
  const echoed = Object.fromEntries(Object.keys(echo).map((field) => [field, nonce]));
  const body = isObject ? { ...example, ...echoed } : example;
  const common = { method, route, path, tags, responses };
  const probes: Probe[] = [
    {
      ...common,
      name,
      body: JSON.stringify(body),
      expectedStatus: '2XX',
      now,
      fields: Object.fromEntries(Object.values(echo).map((field) => [field, nonce])),
      logs,
    },
  ];
  if (method === 'GET') {
    probes.push({ ...common, name: `HEAD ${route}`, method: 'HEAD', expectedStatus: '2XX' });
  } else if (body !== undefined) {
    probes.push({
      ...common,
      name: `${name} with a wrong body`,
      body: isObject ? '"not an object"' : '{',
      expectedStatus: '422',
    });
  }
  return probes;
}

function createUnknownPathProbe(method: 'GET' | 'HEAD'): Probe {
  const path = `/unknown-${randomUUID()}`;
  const content = {
    'application/json': (body: unknown) =>
      isDeepStrictEqual(body, { detail: 'Not Found' }) ? [] : ['detail must be "Not Found"'],
  };
  return {
    name: `${method} an unknown path`,
    method,
    route: path,
    path,
    tags: [],
    responses: { 404: { content, headers: [] } },
    expectedStatus: '404',
  };
}
