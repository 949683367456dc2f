import { AsyncLocalStorage } from 'node:async_hooks';
import { isSpanContextValid, type Span, context as spanContext, trace } from '@opentelemetry/api';

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
  /** The `tracestate` header. */
  readonly tracestate: string | undefined;
  /** The span of the request, if an OpenTelemetry SDK is loaded and traces the request. */
  readonly span: Span | undefined;
}

/** Fields that every log record of a request contains. OpenTelemetry defines their names. */
interface RequestFields {
  requestId?: string;
  trace_id?: string;
  span_id?: string;
  trace_flags?: string;
}

const storage = new AsyncLocalStorage<RequestContext | undefined>();

/** Calls a function within a request's context and span, or outside of any for `undefined`. */
export function runInRequestContext(context: RequestContext | undefined, run: () => void): void {
  if (context?.span === undefined) {
    storage.run(context, run);
  } else {
    spanContext.with(trace.setSpan(spanContext.active(), context.span), () => {
      storage.run(context, run);
    });
  }
}

/** Returns the context of the current request. */
export function getRequestContext(): RequestContext | undefined {
  return storage.getStore();
}

/** Returns the span of the request that is being received, if an OpenTelemetry SDK traces it. */
export function findRequestSpan(): Span | undefined {
  const span = trace.getActiveSpan();
  return span && isSpanContextValid(span.spanContext()) ? span : undefined;
}

/** Returns the trace id of a `traceparent` header, or undefined if the header is invalid. */
export function parseTraceId(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1];
}

/** Returns the fields of the current request that every log record contains. */
export function getRequestFields(): RequestFields {
  const context = storage.getStore();
  if (context === undefined) return {};
  const { requestId, span, traceparent } = context;
  if (span !== undefined) {
    const { traceId, spanId, traceFlags } = (trace.getActiveSpan() ?? span).spanContext();
    return {
      requestId,
      trace_id: traceId,
      span_id: spanId,
      trace_flags: traceFlags.toString(16).padStart(2, '0'),
    };
  }
  const traceId = parseTraceId(traceparent);
  return traceId === undefined ? { requestId } : { requestId, trace_id: traceId };
}
