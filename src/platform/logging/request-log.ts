import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import type { PinoLogger } from 'nestjs-pino';
import { isQuiet } from './quiet.decorator.js';

/** W3C Trace Context: version, trace id, parent id, flags; a version after 00 may have more. */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2}(?=.{53}(?:$|-)))-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

/** What Express keeps of the route that a request matched. */
interface MatchedRoute {
  path: string;
  stack: { handle: object }[];
}

/**
 * Gives every record that a request makes its `requestId`, and its `traceId` where the caller sent a
 * `traceparent`, and writes one record when the request ends: method, route pattern, status and
 * duration in milliseconds; never the path itself, a header or a body. A quiet route's requests are
 * only told of when they failed or were cut off.
 */
export function requestLog(logger: PinoLogger) {
  return (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const startedAt = performance.now();
    const traceId = TRACEPARENT.exec(String(req.headers.traceparent))?.[1];
    const bindings = { requestId: req.id, ...(traceId && { traceId }) };
    logger.runInContext(
      () => {
        // The end comes from the connection, outside of the request's context.
        const log = logger.logger;
        onceEnded(req.socket, res, () => {
          const outcome = describeEnd(req as Request, res as Response);
          if (outcome === undefined) return;
          const { level, message, status } = outcome;
          log[level](
            {
              context: 'RequestLog',
              method: req.method,
              route: ((req as Request).route as MatchedRoute | undefined)?.path ?? 'unmatched',
              status,
              durationMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
            },
            message,
          );
        });
        next();
      },
      { bindings },
    );
  };
}

/** Marks a request as one for a document, for paths that are no handler of Nest's. */
export const quietDocument: RequestHandler = (_req, res, next) => {
  res.locals.isDocument = true;
  next();
};

/** How a request ended, or undefined when it is not to be told. */
function describeEnd(req: Request, res: Response) {
  // The locals are Express's: what Node's parser refuses has none.
  const locals = (res.locals as { isDocument?: boolean; isBroken?: boolean } | undefined) ?? {};
  if (locals.isBroken) {
    const message = 'Request broken off by an error';
    return { level: 'error', message, status: res.statusCode } as const;
  }
  // An error that is answered to nobody, because the body broke off, counts as written.
  const cutOff = req.readableAborted || !res.writableFinished;
  if (cutOff) {
    // One that is cut off before it is answered has no status.
    const status = req.readableAborted || !res.headersSent ? undefined : res.statusCode;
    return { level: 'info', message: 'Request cut off by the client', status } as const;
  }
  const status = res.statusCode;
  if (status >= 500) return { level: 'error', message: 'Request completed', status } as const;
  const route = req.route as MatchedRoute | undefined;
  const isQuietRoute = route?.stack.some(({ handle }) => isQuiet(handle)) ?? false;
  if (isQuietRoute || (locals.isDocument && status < 400)) return undefined;
  return { level: 'info', message: 'Request completed', status } as const;
}

/** The requests of each connection that have not ended. */
const pending = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `end` once, when a response is over or its connection is: a response that waits behind
 * others on the connection is never told that it is gone.
 */
function onceEnded(socket: Socket, res: ServerResponse, end: () => void): void {
  let ends = pending.get(socket);
  if (ends === undefined) {
    const all = (ends = new Set());
    pending.set(socket, all);
    socket.once('close', () => {
      for (const one of all) one();
    });
  }
  const endOnce = () => {
    if (ends.delete(endOnce)) end();
  };
  ends.add(endOnce);
  res.once('close', endOnce);
}
