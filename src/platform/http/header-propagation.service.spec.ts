import { trace, TraceFlags } from '@opentelemetry/api';
import { type RequestContext, runInRequestContext } from './request-context.js';
import { HeaderPropagationService } from './header-propagation.service.js';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('HeaderPropagationService', () => {
  const service = new HeaderPropagationService();

  function getHeaders(context: Partial<RequestContext>): Record<string, string> {
    let headers = {};
    const request = { requestId: 'id', traceparent: undefined, tracestate: undefined };
    runInRequestContext({ ...request, span: undefined, ...context }, () => {
      headers = service.getHeaders();
    });
    return headers;
  }

  it('returns the request id and the trace context of the caller', () => {
    expect(getHeaders({ traceparent: TRACEPARENT, tracestate: 'vendor=1' })).toEqual({
      'X-Request-Id': 'id',
      traceparent: TRACEPARENT,
      tracestate: 'vendor=1',
    });
  });

  it('returns no tracestate that the caller did not send', () => {
    expect(getHeaders({ traceparent: TRACEPARENT })).toEqual({
      'X-Request-Id': 'id',
      traceparent: TRACEPARENT,
    });
  });

  it.each([undefined, 'hello'])('returns no trace context for traceparent %s', (traceparent) => {
    expect(getHeaders({ traceparent, tracestate: 'vendor=1' })).toEqual({ 'X-Request-Id': 'id' });
  });

  it('returns no trace context if an OpenTelemetry SDK traces the request', () => {
    const span = trace.wrapSpanContext({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceFlags: TraceFlags.SAMPLED,
    });
    expect(getHeaders({ traceparent: TRACEPARENT, span })).toEqual({ 'X-Request-Id': 'id' });
  });

  it('returns no headers outside of a request', () => {
    expect(service.getHeaders()).toEqual({});
  });
});
