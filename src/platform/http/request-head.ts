import type { IncomingMessage } from 'node:http';

/**
 * Characters of a host and port (RFC 3986), and `|`, which Envoy sends in the names of clusters. RFC 9112
 * allows an empty value.
 */
const HOST = /^[\w.~!$&'()*+,;=:%|[\]-]*$/;

/**
 * Finds an error in the Host header, for a 400 response after which the connection is closed: a proxy in
 * front may have interpreted such a request differently.
 */
export function findHeadError(request: IncomingMessage): string | undefined {
  const { headers, rawHeaders, httpVersion } = request;
  if (headers.host === undefined) {
    if (httpVersion === '1.1') return 'The Host header is missing';
  } else {
    if (!HOST.test(headers.host)) return 'The Host header is malformed';
    if (countHeaders('host', rawHeaders) > 1) return 'The request has more than one Host header';
  }
  return undefined;
}

/** Finds an error in the path, for a 400 response. */
export function findPathError({ url }: IncomingMessage): string | undefined {
  return url?.includes('%') && !isDecodable(url)
    ? 'The path is malformed: it is not valid percent-encoded UTF-8'
    : undefined;
}

/** @param rawHeaders names and values alternately */
function countHeaders(name: string, rawHeaders: string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === name.length && rawHeaders[i]?.toLowerCase() === name) count += 1;
  }
  return count;
}

/**
 * Rewrites an absolute request target such as `http://host/path` to `/path`, because Express responds to
 * some of them with HTML.
 *
 * @returns whether the target is valid
 */
export function normalizeTarget(request: IncomingMessage): boolean {
  const target = request.url ?? '';
  if (target.startsWith('/') || target === '*') return true;
  if (!URL.canParse(target)) return false;
  const { pathname, search } = new URL(target);
  request.url = pathname + search;
  return pathname.startsWith('/');
}

function isDecodable(target: string): boolean {
  const [path = ''] = target.split(/[?#]/, 1);
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
