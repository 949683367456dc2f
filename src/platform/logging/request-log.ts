import type { Request, RequestHandler, Response } from 'express';
import type { PinoLogger } from 'nestjs-pino';
import { isQuiet } from './quiet.decorator.js';

/** W3C Trace Context: version, trace id, parent id, flags; a later version may have more. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;

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
export function requestLog(logger: PinoLogger): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    const traceId = TRACEPARENT.exec(req.get('traceparent') ?? '')?.[1];
    const bindings = { requestId: req.id, ...(traceId && { traceId }) };
    logger.runInContext(
      () => {
        // The end comes from the connection, outside of the request's context.
        const log = logger.logger;
        res.once('close', () => {
          const failed = res.statusCode >= 500;
          // An error that is answered to nobody, because the body broke off, counts as written.
          const cutOff = req.readableAborted || !res.writableFinished;
          if (!failed && !cutOff && isQuietRequest(req, res)) return;
          log[failed ? 'error' : 'info'](
            {
              context: 'RequestLog',
              method: req.method,
              route: (req.route as MatchedRoute | undefined)?.path ?? 'unmatched',
              // A request that is cut off before it is answered has no status.
              status: req.readableAborted || !res.headersSent ? undefined : res.statusCode,
              durationMs: Math.round((performance.now() - startedAt) * 1000) / 1000,
            },
            cutOff ? 'Request cut off by the client' : 'Request completed',
          );
        });
        next();
      },
      { bindings },
    );
  };
}

/** Marks what a request asks for as quiet, for paths that are no handler of Nest's. */
export const quietPath: RequestHandler = (_req, res, next) => {
  res.locals.quiet = true;
  next();
};

function isQuietRequest(req: Request, res: Response): boolean {
  const route = req.route as MatchedRoute | undefined;
  return res.locals.quiet === true || (route?.stack.some(({ handle }) => isQuiet(handle)) ?? false);
}
