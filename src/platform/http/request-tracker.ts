import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { Span } from '@opentelemetry/api';
import type { Request, Response } from 'express';
import { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import { hasDisconnectedDuringUpload } from './client-disconnect.js';
import type { CompletedRequest } from './completed-request.js';
import { requestState } from './request-state.js';

/** Route pattern of requests that no route matches. */
const UNMATCHED = 'unmatched';

/** Notifies listeners of each completed request. */
@Injectable()
export class RequestTracker {
  private readonly listeners: ((completed: CompletedRequest) => void)[] = [];

  constructor(private readonly connections: ConnectionTracker) {}

  /** Adds a listener that is called once per request, when its response is finished or aborted. */
  onCompleted(listener: (completed: CompletedRequest) => void): void {
    this.listeners.push(listener);
  }

  /** Middleware that tracks a request. */
  readonly track = (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const { span } = req[requestState];
    if (span !== undefined) {
      // Runs before the listener of OpenTelemetry's HTTP instrumentation, which ends the span.
      res.prependListener('close', () => {
        setRoute(span, res as Response);
      });
    }
    this.connections.track(res, () => {
      const completed = describeCompletedRequest(res);
      for (const listener of this.listeners) listener(completed);
    });
    this.connections.handle(res, next);
  };
}

function describeCompletedRequest(serverResponse: ServerResponse): CompletedRequest {
  const response = serverResponse as Response;
  const request = response.req;
  const { startedAt, isDocsRequest, hasFailedResponse } = request[requestState];
  // Node.js reports an error response as finished even if the client has disconnected.
  const hasDisconnected = hasDisconnectedDuringUpload(response);
  const isAborted = hasDisconnected || !response.writableFinished;
  const isUnsent = isAborted && (hasDisconnected || !response.headersSent);
  return {
    request,
    response,
    context: request[requestState],
    durationMs: performance.now() - startedAt,
    outcome: hasFailedResponse ? 'failed' : isAborted ? 'aborted' : 'completed',
    status: isUnsent && !hasFailedResponse ? undefined : response.statusCode,
    route: getRoutePattern(request, response),
    isDocsRequest,
  };
}

/** Sets the attribute `http.route` and the name of a request's span, if a route has matched. */
function setRoute(span: Span, response: Response): void {
  const route = getRoutePattern(response.req, response);
  if (route === UNMATCHED) return;
  span.setAttribute('http.route', route).updateName(`${response.req.method} ${route}`);
}

function getRoutePattern(request: Request, response: Response): string {
  const route = request.route as { path: unknown } | undefined;
  // Express also accepts arrays and regular expressions.
  if (route !== undefined) return String(route.path);
  return request[requestState].isDocsRequest && response.statusCode < 400 ? '/docs/*' : UNMATCHED;
}
