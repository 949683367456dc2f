import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { findRequestSpan, runInRequestContext } from './request-context.js';
import { requestState, RequestState } from './request-state.js';

/** Other characters would allow callers to forge log records. */
const VALID_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Middleware that assigns the request id: the caller's `X-Request-Id` if it is 1 to 128 characters of
 * `A-Z a-z 0-9 . _ : -`, otherwise a new UUID. The response and all log records of the request
 * contain it.
 */
export function assignRequestId(req: IncomingMessage, res: ServerResponse, next: () => void): void {
  const received = req.headers['x-request-id'];
  const id = typeof received === 'string' && VALID_ID.test(received) ? received : randomUUID();
  req[requestState] = new RequestState(
    id,
    req.headers.traceparent as string | undefined,
    req.headers.tracestate as string | undefined,
    findRequestSpan(),
  );
  res.setHeader('X-Request-Id', id);
  runInRequestContext(req[requestState], next);
}
