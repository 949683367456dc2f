import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

const TRUSTWORTHY = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Gives each request an id, as `req.id` for the log and as the `X-Request-Id` header of the
 * response: the caller's own when it is 1 to 128 characters of `A-Z a-z 0-9 . _ : -` (anything
 * else could forge log lines), otherwise a new UUID.
 */
export function requestId(req: IncomingMessage, res: ServerResponse, next: () => void): void {
  const offered = req.headers['x-request-id'];
  const id = typeof offered === 'string' && TRUSTWORTHY.test(offered) ? offered : randomUUID();
  req.id = id;
  res.setHeader('X-Request-Id', id);
  next();
}
