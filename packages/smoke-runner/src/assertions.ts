import type { HttpResponse } from './http-connection.js';
import type { DocumentedResponse } from './openapi-reader.js';
import type { Probe } from './probes.js';
import { matchesWildcard } from './wildcard.js';

/** How far the clock of the target may differ from the local clock. */
const MAX_CLOCK_SKEW_MS = 60_000;

/**
 * Compares a response with what its probe expects.
 *
 * @returns failures in the form `expected X, got Y`, or an empty array
 */
export function verifyResponse(probe: Probe, response: HttpResponse): string[] {
  const { responses, expectedStatus } = probe;
  const { status, headers, text, requestId } = response;
  const statuses = Object.keys(responses);
  const successes = statuses.filter((key) => key.startsWith('2'));
  const range = `${Math.floor(status / 100)}XX`;
  if (expectedStatus !== String(status) && expectedStatus !== range) {
    const expected = expectedStatus === '2XX' ? successes.join(' or ') : '';
    const location = headers.location === undefined ? '' : ` to ${headers.location}`;
    const body = text === '' ? '' : `: ${text}`;
    return [`expected status ${expected || expectedStatus}, got ${status}${location}${body}`];
  }
  // Next to a documented success, `default` documents errors.
  const isDefault = expectedStatus !== '2XX' || successes.length === 0;
  const documented = responses[status] ?? responses[range] ?? (isDefault && responses.default);
  if (!documented) {
    return [`expected status ${status} in the document, got only ${statuses.join(', ')}`];
  }
  const failures = verifyEqual('X-Request-Id', requestId, headers['x-request-id']);
  // Only JSON responses have the header by default.
  if (isJson(response) && !documented.headers.includes('cache-control')) {
    failures.push(...verifyEqual('Cache-Control', 'no-store', headers['cache-control']));
  }
  return [...failures, ...verifyContent(probe, documented, response)];
}

function verifyContent(
  probe: Probe,
  { content }: DocumentedResponse,
  response: HttpResponse,
): string[] {
  const types = Object.keys(content);
  const type = types.find((pattern) => matchesWildcard(getMediaType(response), pattern));
  if (types.length > 0 && type === undefined) {
    return verifyEqual('Content-Type', types.join(' or '), response.headers['content-type']);
  }
  if (probe.method === 'HEAD') return [];
  if (!isJson(response)) return verifyFields(probe, {});
  let body: unknown;
  try {
    body = JSON.parse(response.text);
  } catch {
    return [`expected JSON, got ${response.text}`];
  }
  const violations = content[type ?? '']?.(body).join('; ');
  return violations
    ? [`expected the body to match its schema (${violations}), got ${response.text}`]
    : verifyFields(probe, Object(body) as Record<string, unknown>);
}

function verifyFields({ now, fields = {} }: Probe, body: Record<string, unknown>): string[] {
  const failures = Object.entries(fields).flatMap(([field, value]) =>
    verifyEqual(field, value, body[field]),
  );
  if (now === undefined) return failures;
  const isNow = Math.abs(Date.parse(String(body[now])) - Date.now()) < MAX_CLOCK_SKEW_MS;
  return isNow ? failures : [...failures, ...verifyEqual(now, new Date().toISOString(), body[now])];
}

function verifyEqual(name: string, expected: string, value: unknown): string[] {
  if (value === expected) return [];
  const got = value === undefined ? 'none' : JSON.stringify(value);
  return [`expected ${name} ${expected}, got ${got}`];
}

function isJson(response: HttpResponse): boolean {
  return getMediaType(response).endsWith('json');
}

/** Returns the content type without parameters. */
function getMediaType({ headers }: HttpResponse): string {
  return (headers['content-type'] ?? '').replace(/;.*/, '').trim().toLowerCase();
}
