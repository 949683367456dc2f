import { AsyncLocalStorage } from 'node:async_hooks';

/** Matches a W3C `traceparent` header: version, trace id, parent id, flags. */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2}(?=.{53}(?:$|-)))-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

/**
 * Fields of the current request that log records contain. It must not refer to the request itself:
 * timers and other asynchronous work that outlive a request keep its context in memory.
 */
export interface RequestContext {
  readonly requestId: string;
  /** The `traceparent` header. */
  readonly traceparent: string | undefined;
}

const storage = new AsyncLocalStorage<RequestContext | undefined>();

/** Calls a function within a request's context, or outside of any for `undefined`. */
export function runInRequestContext(context: RequestContext | undefined, run: () => void): void {
  storage.run(context, run);
}

/** Returns the fields of the current request that every log record contains. */
export function getRequestFields(): { requestId?: string; traceId?: string } {
  const context = storage.getStore();
  if (context === undefined) return {};
  const { requestId, traceparent } = context;
  const traceId = traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1];
  return traceId === undefined ? { requestId } : { requestId, traceId };
}
