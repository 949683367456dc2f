import type { Span } from '@opentelemetry/api';
import { getRequestContext, type RequestContext } from './request-context.js';

/** Key of the state in a request. A symbol, because features and middleware add properties too. */
export const requestState = Symbol('requestState');

declare module 'node:http' {
  interface IncomingMessage {
    /** Set by `assignRequestId()`, before all other middleware. */
    [requestState]: RequestState;
  }
}

/** State of an open request. */
export class RequestState implements RequestContext {
  /** Time at which the headers were received, as `performance.now()`. */
  readonly startedAt = performance.now();
  /** Whether the path belongs to the documentation, whose routes no controller handles. */
  isDocsRequest = false;
  /** Whether an error occurred after the response's headers had been sent. */
  hasFailedResponse = false;
  /** Reads a body that the body parser has left unread. Resolves to undefined if it was read since. */
  readText: (() => Promise<string | undefined>) | undefined = undefined;

  constructor(
    readonly requestId: string,
    readonly traceparent: string | undefined,
    readonly tracestate: string | undefined,
    readonly span: Span | undefined,
  ) {}
}

/** Returns the state of the current request. */
export function getRequestState(): RequestState | undefined {
  return getRequestContext() as RequestState | undefined;
}
