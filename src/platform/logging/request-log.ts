import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { RequestEnd } from '../lifecycle/request-end.js';
import { isQuiet } from './quiet.decorator.js';

/** W3C Trace Context: version, trace id, parent id, flags; a version after 00 may have more. */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2}(?=.{53}(?:$|-)))-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

/** What the records of a request say of it, as it came. */
interface Context {
  id: IncomingMessage['id'];
  traceparent: unknown;
}

/**
 * The context of whatever runs now. Not the request itself: what is begun for a request and outlives
 * it, such as a timer, keeps its context, and would keep a body with it.
 */
const current = new AsyncLocalStorage<Context | undefined>();

/** Middleware: what follows runs for this request, and so do the records that it makes. */
export function requestContext(req: IncomingMessage, _res: ServerResponse, next: () => void): void {
  current.run(contextOf(req), next);
}

function contextOf({ id, headers }: IncomingMessage): Context {
  return { id, traceparent: headers.traceparent };
}

/** Runs something for no request. */
export function withoutRequest(run: () => void): void {
  current.run(undefined, run);
}

/**
 * What every record has that a request makes: its `requestId`, and its `traceId` where the caller
 * sent a `traceparent`.
 */
export function requestFields(): { requestId?: unknown; traceId?: string } {
  const context = current.getStore();
  if (context === undefined) return {};
  const traceId = TRACEPARENT.exec(String(context.traceparent))?.[1];
  return { requestId: context.id, ...(traceId && { traceId }) };
}

/**
 * Writes one record when a request is over: method, route pattern, status and duration in
 * milliseconds; never the path itself, a header or a body. A quiet route's requests are only told
 * of when they failed or were cut off.
 */
export function requestLog(logger: Logger) {
  return (end: RequestEnd): void => {
    const level = levelOf(end);
    if (level === undefined) return;
    const { request, outcome, route, status, durationMs } = end;
    // The end comes from the connection, outside of the request's context.
    current.run(contextOf(request), () => {
      logger[level](
        {
          context: 'RequestLog',
          method: request.method,
          route,
          status,
          durationMs: Math.round(durationMs * 1000) / 1000,
        },
        MESSAGES[outcome],
      );
    });
  };
}

const MESSAGES = {
  completed: 'Request completed',
  'cut off': 'Request cut off',
  'broken off': 'Request broken off by an error',
};

/** Marks a request as one for a document, for paths that are no handler of Nest's. */
export const quietDocument: RequestHandler = (_req, res, next) => {
  res.locals.isDocument = true;
  next();
};

/** The level of the record of a request, or undefined when it is not to be told. */
function levelOf({ request, response, outcome }: RequestEnd): 'info' | 'error' | undefined {
  if (outcome === 'broken off') return 'error';
  if (outcome === 'cut off') return 'info';
  const status = response.statusCode;
  if (handlersOf(request).some((handler) => isQuiet(handler, status))) return undefined;
  if (status >= 500) return 'error';
  const locals = response.locals as typeof response.locals | undefined;
  return locals?.isDocument && status < 400 ? undefined : 'info';
}

/** What Express keeps of the route that a request matched. */
function handlersOf({ route }: Request): object[] {
  const { stack = [] } = (route ?? {}) as { stack?: { handle: object }[] };
  return stack.map(({ handle }) => handle);
}
