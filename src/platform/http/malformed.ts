import { BadRequestException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** What a host and port are made of, by RFC 3986; that it may be empty is RFC 9112's. */
const HOST = /^[\w.~!$&'()*+,;=:%[\]-]*$/;

/**
 * Answers 400 to an HTTP/1.1 request without a host, to one with two, of which a proxy in front may
 * have taken the other, to a host that is none, and to a path that cannot be decoded.
 */
export function rejectMalformed(req: Request, _res: Response, next: NextFunction): void {
  const fault = faultOf(req);
  next(fault === undefined ? undefined : new BadRequestException(fault));
}

function faultOf({ headers, rawHeaders, httpVersion, url, path }: Request): string | undefined {
  if (headers.host === undefined) {
    if (httpVersion === '1.1') return 'The Host header is missing';
  } else {
    if (!HOST.test(headers.host)) return 'The Host header is malformed';
    if (countOf('host', rawHeaders) > 1) return 'The Host header is there more than once';
  }
  if (url.includes('%') && !isDecodable(path)) {
    return 'The path is malformed: a % begins no UTF-8 character';
  }
  return undefined;
}

/** How often a header was sent. `rawHeaders` has names and values in turn. */
function countOf(name: string, rawHeaders: string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === name.length && rawHeaders[i]?.toLowerCase() === name) count += 1;
  }
  return count;
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
