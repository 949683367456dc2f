import type { IncomingMessage } from 'node:http';

/** What a host and port are made of, by RFC 3986; that it may be empty is RFC 9112's. */
const HOST = /^[\w.~!$&'()*+,;=:%[\]-]*$/;

/**
 * What is wrong with a request's head, if anything is, for a 400, after which the connection is of no
 * use: an HTTP/1.1 request without a host, two hosts, of which a proxy in front may have taken the
 * other, a host that is none, and a target that cannot be read. A target such as `http://host/path`,
 * as a proxy is asked, is cut down to `/path`: Express would answer some of them in HTML.
 */
export function faultOf(request: IncomingMessage): string | undefined {
  const { headers, rawHeaders, httpVersion } = request;
  if (headers.host === undefined) {
    if (httpVersion === '1.1') return 'The Host header is missing';
  } else {
    if (!HOST.test(headers.host)) return 'The Host header is malformed';
    if (countOf('host', rawHeaders) > 1) return 'The Host header is there more than once';
  }
  return toOriginForm(request) ? undefined : 'The request target is malformed';
}

/** What is wrong with a request's path, if anything is, for a 400. */
export function pathFaultOf({ url }: IncomingMessage): string | undefined {
  return url?.includes('%') && !isDecodable(url)
    ? 'The path is malformed: a % begins no UTF-8 character'
    : undefined;
}

/** How often a header was sent. `rawHeaders` has names and values in turn. */
function countOf(name: string, rawHeaders: string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === name.length && rawHeaders[i]?.toLowerCase() === name) count += 1;
  }
  return count;
}

/** @returns whether the target can be read */
function toOriginForm(request: IncomingMessage): boolean {
  const target = request.url ?? '';
  if (target.startsWith('/') || target === '*') return true;
  if (!URL.canParse(target)) return false;
  const { pathname, search } = new URL(target);
  request.url = pathname + search;
  return pathname.startsWith('/');
}

/** Whether the path of a target can be decoded. */
function isDecodable(target: string): boolean {
  const [path = ''] = target.split(/[?#]/, 1);
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
