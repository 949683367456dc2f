import { randomUUID } from 'node:crypto';
import { ApiDocument, type Operation } from './api-document.js';
import type { Exchange, Sent } from './connection.js';

/** How far the target's clock may be from this one's, in milliseconds. */
const CLOCK_SKEW_MS = 60_000;

/** One request and what its answer has to be. */
export interface Check extends Sent {
  /** Such as `GET /system/healthz`. */
  name: string;
  /** The path as it is documented. */
  route: string;
  tags: string[];
  /** What is wrong with an answer, each as `expected …, found …`; empty when nothing is. */
  judge(exchange: Exchange): string[];
  /** The call leaves one record in the log, which has these fields. */
  logs?: Record<string, unknown>;
}

/**
 * Whether there is a document, from which the other checks come.
 *
 * @param take is called with the document
 */
export function documentCheck(take: (document: ApiDocument) => void): Check {
  const path = '/openapi.json';
  return {
    ...{ name: `GET ${path}`, route: path, tags: [], method: 'GET', path },
    judge: (exchange) => {
      const faults = [...judgeStatus('200', exchange), ...judgeType('application/json', exchange)];
      if (faults.length > 0) return faults;
      // It throws where there is none that can be used.
      take(new ApiDocument(exchange.text));
      return judgeRequestId(exchange);
    },
  };
}

/**
 * What there is to check of a service, by its document: every operation that is safe to call, and a
 * path that does not exist.
 *
 * @param nonce text that nobody has sent before; it may not appear in a log
 */
export function checksOf(document: ApiDocument, nonce: string): Check[] {
  return [
    ...document.operations
      .filter(({ isSafe }) => isSafe)
      .flatMap((operation) => checksOfOperation(document, operation, nonce)),
    unknownPath('GET'),
    unknownPath('HEAD'),
  ];
}

function checksOfOperation(document: ApiDocument, operation: Operation, nonce: string): Check[] {
  const { method, path: route, target: path = route, tags, example, smokeTest } = operation;
  const { now, logs, echo = {} } = smokeTest;
  const common = { route, tags, path };
  const judge = (exchange: Exchange) => judgeAnswer(document, operation, '2XX', exchange);
  const fresh = Object.fromEntries(Object.keys(echo).map((field) => [field, nonce]));
  const isObject = typeof example === 'object' && example !== null && !Array.isArray(example);
  const body = isObject ? { ...example, ...fresh } : example;
  const call: Check = {
    ...{ ...common, name: `${method} ${route}`, method, logs },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    judge: (exchange) => {
      const faults = judge(exchange);
      if (faults.length > 0) return faults;
      return [
        ...(now === undefined ? [] : judgeNow(now, exchange)),
        ...Object.values(echo).flatMap((field) =>
          judgeEqual(field, nonce, fieldOf(exchange, field)),
        ),
      ];
    },
  };
  if (method === 'GET') {
    return [call, { ...common, name: `HEAD ${route}`, method: 'HEAD', judge }];
  }
  if (body === undefined) return [call];
  const wrong: Check = {
    ...{ ...common, name: `${method} ${route} with a wrong body`, method },
    body: isObject ? '"no object"' : '{',
    judge: (exchange) => judgeAnswer(document, operation, '422', exchange),
  };
  return [call, wrong];
}

/** @param expected a status, or `2XX` for any of success */
function judgeAnswer(
  document: ApiDocument,
  { responses }: Operation,
  expected: '2XX' | '422',
  exchange: Exchange,
): string[] {
  const { status } = exchange;
  const isExpected = expected === '2XX' ? status >= 200 && status < 300 : status === 422;
  const range = `${String(status).slice(0, 1)}XX`;
  const response = responses[status] ?? responses[range] ?? responses.default;
  // Of another answer than a documented one nothing more is to be said.
  if (!isExpected) {
    const known = Object.keys(responses).filter((one) =>
      expected === '2XX' ? one.startsWith('2') : one === expected,
    );
    return judgeStatus(known.join(' or ') || expected, exchange);
  }
  if (!response) return [`expected status ${status} in the document, found none`];
  const { schemas, headers } = response;
  const faults = judgeRequestId(exchange);
  if (!headers.includes('cache-control')) faults.push(...judgeCacheControl(exchange));
  const types = Object.keys(schemas);
  if (types.length === 0) return faults;
  const found = essence(exchange.headers['content-type'] ?? '');
  const type = types.find((one) => isLike(found, essence(one)));
  if (type === undefined) return [...faults, ...judgeType(types.join(' or '), exchange)];
  if (exchange.method === 'HEAD' || !found.endsWith('json')) return faults;
  return [...faults, ...judgeBody(document, schemas[type] ?? '', exchange)];
}

/** Whether a content type is in a range such as application/* */
function isLike(type: string, range: string): boolean {
  return (
    type === range ||
    range === '*/*' ||
    (range.endsWith('/*') && type.startsWith(range.slice(0, -1)))
  );
}

function judgeStatus(expected: string, { status, headers, text }: Exchange): string[] {
  if (String(status) === expected) return [];
  const to = headers.location === undefined ? '' : ` to ${headers.location}`;
  return [`expected status ${expected}, found ${status}${to}${text && `: ${text}`}`];
}

function judgeRequestId({ requestId, headers }: Exchange): string[] {
  return judgeEqual('X-Request-Id', requestId, headers['x-request-id']);
}

/** An answer that a cache keeps is none of now: it says otherwise, or that is documented. */
function judgeCacheControl({ headers }: Exchange): string[] {
  return judgeEqual('Cache-Control', 'no-store', headers['cache-control']);
}

function judgeType(expected: string, { headers }: Exchange): string[] {
  const found = headers['content-type'] ?? 'none';
  return essence(found) === expected ? [] : [`expected Content-Type ${expected}, found ${found}`];
}

function judgeBody(document: ApiDocument, place: string, { text }: Exchange): string[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return [`expected JSON, found ${text}`];
  }
  const faults = document.faultsOf(body, place);
  return faults.length > 0 ? [...faults, `found the body ${text}`] : [];
}

function judgeNow(field: string, exchange: Exchange): string[] {
  const found = fieldOf(exchange, field);
  const isNow = Math.abs(Date.parse(String(found)) - Date.now()) < CLOCK_SKEW_MS;
  return isNow ? [] : judgeEqual(field, new Date().toISOString(), found);
}

/** undefined where the answer is no JSON, too. */
function fieldOf({ text }: Exchange, field: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[field];
  } catch {
    return undefined;
  }
}

function unknownPath(method: string): Check {
  const path = `/unknown-${randomUUID()}`;
  return {
    ...{ name: `${method} an unknown path`, route: path, tags: [], method, path },
    judge: (exchange) => {
      const faults = judgeStatus('404', exchange);
      if (faults.length > 0) return faults;
      return [
        ...judgeRequestId(exchange),
        ...judgeCacheControl(exchange),
        ...judgeType('application/json', exchange),
        ...(method === 'HEAD' ? [] : judgeEqual('body', '{"detail":"Not Found"}', exchange.text)),
      ];
    },
  };
}

function judgeEqual(what: string, expected: string, found: unknown): string[] {
  if (found === expected) return [];
  return [
    `expected ${what} ${expected}, found ${found === undefined ? 'none' : JSON.stringify(found)}`,
  ];
}

/** A content type without its parameters. */
function essence(type: string): string {
  return type.replace(/;.*/s, '').trim().toLowerCase();
}
