import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { PinoLogger } from 'nestjs-pino';
import type { Logger } from 'pino';
import type { CompletedRequest } from './completed-request.js';
import { runInRequestContext } from './request-context.js';
import { RequestTracker } from './request-tracker.js';
import { skipsRequestLog } from './skip-request-log.decorator.js';

const MESSAGES = {
  completed: 'Request completed',
  aborted: 'Request aborted',
  failed: 'Request failed after the response had started',
};

/**
 * Logs each completed request: method, route pattern, status and duration; never the path, headers or bodies.
 * Successful requests to the documentation and to handlers with `@SkipRequestLog()` are not logged.
 */
@Injectable()
export class RequestLog {
  private readonly logger: Logger;

  constructor({ logger }: PinoLogger, requests: RequestTracker) {
    this.logger = logger;
    requests.onCompleted((completed) => {
      this.write(completed);
    });
  }

  private write(completed: CompletedRequest): void {
    const level = getLevel(completed);
    if (level === undefined || !this.logger.isLevelEnabled(level)) return;
    const { request, context, outcome, route, status, durationMs } = completed;
    // The 'close' event of a connection is emitted outside of the request's context.
    runInRequestContext(context, () => {
      this.logger[level](
        {
          context: RequestLog.name,
          method: request.method,
          route,
          statusCode: status,
          durationMs: Math.round(durationMs * 1000) / 1000,
        },
        MESSAGES[outcome],
      );
    });
  }
}

function getLevel(completed: CompletedRequest): 'info' | 'error' | undefined {
  const { request, response, outcome, isDocsRequest } = completed;
  if (outcome === 'failed') return 'error';
  if (outcome === 'aborted') return 'info';
  const status = response.statusCode;
  for (const handler of getRouteHandlers(request)) {
    if (skipsRequestLog(handler, status)) return undefined;
  }
  if (status >= 500) return 'error';
  return isDocsRequest && status < 400 ? undefined : 'info';
}

/** Returns the handlers that Express has registered for the matched route. */
function getRouteHandlers({ route }: Request): object[] {
  const { stack = [] } = (route ?? {}) as { stack?: { handle: object }[] };
  return stack.map(({ handle }) => handle);
}
