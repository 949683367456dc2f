import { Injectable } from '@nestjs/common';
import { getRequestContext, parseTraceId } from './request-context.js';

/** Passes the request id and the trace context of the current request on to other services. */
@Injectable()
export class HeaderPropagationService {
  /**
   * Returns headers for an outgoing request: the `X-Request-Id` of the current request, and the
   * `traceparent` and `tracestate` of its caller. Outside of a request, there are none.
   *
   * If an OpenTelemetry SDK traces the request, it adds the trace context itself, and only
   * `X-Request-Id` is returned: a second `traceparent` would make the header invalid.
   *
   * @example
   * constructor(private readonly headerPropagation: HeaderPropagationService) {}
   *
   * async readOwner(id: number): Promise<Response> {
   *   const headers = this.headerPropagation.getHeaders();
   *   return fetch(`https://owners.example.com/owners/${id}`, { headers });
   * }
   */
  getHeaders(): Record<string, string> {
    const context = getRequestContext();
    if (context === undefined) return {};
    const { requestId, span, traceparent, tracestate } = context;
    const headers: Record<string, string> = { 'X-Request-Id': requestId };
    if (span === undefined && traceparent !== undefined && parseTraceId(traceparent)) {
      headers.traceparent = traceparent;
      if (tracestate !== undefined) headers.tracestate = tracestate;
    }
    return headers;
  }
}
