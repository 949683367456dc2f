import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import request from 'supertest';
import { getPort, listen, openUpload } from './fixtures/http.js';
import { type LogRecord, parseLog } from './fixtures/log-records.js';
import {
  createPreloadOption,
  startService,
  startWithManagementPort,
  stopService,
} from './fixtures/process.js';
import { createProject } from './fixtures/project.js';
import { type ReceivedSpan, startSpanReceiver } from './fixtures/span-receiver.js';
import { waitFor } from './fixtures/wait-for.js';

/** A feature that calls another service, with fetch() and with node:http. */
const FERRETS_MODULE = `import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { Controller, Get, Logger, Module } from '@nestjs/common';
import { HeaderPropagationService } from '../../platform/http/header-propagation.service.js';

@Controller('ferrets')
class FerretsController {
  private readonly logger = new Logger(FerretsController.name);

  constructor(private readonly headerPropagation: HeaderPropagationService) {}

  @Get('fail')
  fail(): never {
    throw new Error('Failed to read');
  }

  @Get(':id')
  async read(): Promise<unknown> {
    const headers = this.headerPropagation.getHeaders();
    const url = process.env.UPSTREAM_URL as string;
    const fetched = await (await fetch(url, { headers })).json();
    const got = await new Promise((resolve, reject) => {
      get(url, { headers }, (response) => resolve(text(response).then(JSON.parse))).on('error', reject);
    });
    this.logger.log('Called');
    return [fetched, got];
  }
}

@Module({ controllers: [FerretsController] })
export class FerretsModule {}
`;

const AGENT = resolve('test/fixtures/tracing-agent.js');
const EXPERIMENTAL_LOADER = '--experimental-loader=@opentelemetry/instrumentation/hook.mjs';
const REGISTER_LOADER = createPreloadOption(
  `import { register } from 'node:module';
  register('@opentelemetry/instrumentation/hook.mjs', '${pathToFileURL(AGENT).href}');`,
);

const ECHO = '/api/v1/system/smoke-test';
const SPAN_ID = /^[0-9a-f]{16}$/;
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER_SPAN_ID = '00f067aa0ba902b7';
const TRACE_CONTEXT = {
  traceparent: `00-${TRACE_ID}-${CALLER_SPAN_ID}-01`,
  tracestate: 'vendor=1',
};

/** Span kinds in OTLP. */
const [SERVER, CLIENT] = [2, 3];
/** Status codes of spans in OTLP. */
const [UNSET, ERROR] = [0, 2];

let project: string;
let upstream: Server;
let upstreamUrl: string;

beforeAll(async () => {
  project = await createProject({ 'src/features/ferrets/ferrets.module.ts': FERRETS_MODULE });
  // Responds with the headers that it receives.
  upstream = createServer((req, res) => res.end(JSON.stringify(req.headers)));
  upstreamUrl = `http://127.0.0.1:${await listen(upstream)}`;
});

afterAll(() => {
  upstream.close();
});

describe.each([
  ['--require', [`--require=${AGENT}`]],
  ['--import', [`--import=${AGENT}`]],
  ['--import, with module.register()', [REGISTER_LOADER, `--import=${AGENT}`]],
  ['--require, with --experimental-loader', [EXPERIMENTAL_LOADER, `--require=${AGENT}`]],
])('with an OpenTelemetry SDK that is loaded by %s', (_, options) => {
  let port: number;
  let upstreamHeaders: IncomingHttpHeaders[];
  let spans: ReceivedSpan[];
  let records: LogRecord[];

  beforeAll(async () => {
    const receiver = await startSpanReceiver();
    const service = await startService({
      cwd: project,
      env: {
        NODE_OPTIONS: options.join(' '),
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        UPSTREAM_URL: upstreamUrl,
      },
    });
    port = getPort(service);
    const read = request(service.url).get('/ferrets/7?a=b').set('X-Request-Id', 'read');
    upstreamHeaders = (await read.set(TRACE_CONTEXT).expect(200)).body as IncomingHttpHeaders[];
    await request(service.url).get('/ferrets/fail').set('X-Request-Id', 'fail').expect(500);
    await request(service.url).get('/nope').set('X-Request-Id', 'unknown').expect(404);
    await request(service.url).post('/ferrets/7').set('X-Request-Id', 'method').expect(405);
    const upload = await openUpload(service, 9, { headers: 'X-Request-Id: aborted\r\n' });
    upload.destroy();
    await waitFor(() => receiver.spans.length >= 7).finally(receiver.close);
    records = parseLog((await stopService(service)).stdout);
    spans = receiver.spans;
  });

  /** Returns the server span of the request for a path. */
  function findServerSpan(path: string, method = 'GET'): ReceivedSpan | undefined {
    return spans.find(
      ({ kind, attributes }) =>
        kind === SERVER &&
        attributes['url.path'] === path &&
        attributes['http.request.method'] === method,
    );
  }

  it('names the span of a request after its route', () => {
    expect(findServerSpan('/ferrets/7')).toEqual({
      traceId: TRACE_ID,
      spanId: expect.stringMatching(SPAN_ID) as string,
      parentSpanId: CALLER_SPAN_ID,
      name: 'GET /ferrets/:id',
      kind: SERVER,
      attributes: {
        'client.address': '127.0.0.1',
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'http.route': '/ferrets/:id',
        'network.peer.address': '127.0.0.1',
        'network.peer.port': expect.any(Number) as number,
        'network.protocol.version': '1.1',
        'server.address': '127.0.0.1',
        'server.port': port,
        'url.path': '/ferrets/7',
        'url.query': 'a=b',
        'url.scheme': 'http',
      },
      status: { code: UNSET },
    });
  });

  it('sets the error status of a span whose response is a 500', () => {
    expect(findServerSpan('/ferrets/fail')).toMatchObject({
      name: 'GET /ferrets/fail',
      attributes: { 'http.route': '/ferrets/fail', 'http.response.status_code': 500 },
      status: { code: ERROR },
    });
  });

  it.each([
    ['GET', '/nope', 404],
    ['POST', '/ferrets/7', 405],
  ])('sets no route for %s %s, which is a %s', (method, path, status) => {
    const span = findServerSpan(path, method);
    expect(span).toMatchObject({
      name: method,
      attributes: { 'http.response.status_code': status },
      status: { code: UNSET },
    });
    expect(span?.attributes).not.toHaveProperty('http.route');
  });

  it('names the span of an aborted request after its route', () => {
    expect(findServerSpan(ECHO, 'POST')).toMatchObject({
      name: `POST ${ECHO}`,
      attributes: { 'http.route': ECHO },
    });
  });

  it('adds the ids of the span to every log record of its request', () => {
    const toIds = (requestId: string, span?: ReceivedSpan) => ({
      requestId,
      trace_id: span?.traceId,
      span_id: span?.spanId,
      trace_flags: '01',
    });
    const failed = toIds('fail', findServerSpan('/ferrets/fail'));
    const read = toIds('read', findServerSpan('/ferrets/7'));
    expect(records.filter(({ requestId }) => requestId !== undefined)).toMatchObject([
      { context: 'FerretsController', ...read },
      { context: 'RequestLog', ...read },
      { context: 'ErrorFilter', ...failed },
      { context: 'RequestLog', ...failed },
      { context: 'RequestLog', ...toIds('unknown', findServerSpan('/nope')) },
      { context: 'RequestLog', ...toIds('method', findServerSpan('/ferrets/7', 'POST')) },
      { msg: 'Request aborted', ...toIds('aborted', findServerSpan(ECHO, 'POST')) },
    ]);
  });

  it('passes the trace on to other services', () => {
    const server = findServerSpan('/ferrets/7');
    const clients = spans.filter(({ kind }) => kind === CLIENT);
    expect(clients).toMatchObject([
      { traceId: TRACE_ID, parentSpanId: server?.spanId },
      { traceId: TRACE_ID, parentSpanId: server?.spanId },
    ]);
    expect(upstreamHeaders).toMatchObject(
      clients.map(({ spanId }) => ({
        'x-request-id': 'read',
        traceparent: `00-${TRACE_ID}-${spanId}-01`,
        tracestate: 'vendor=1',
      })),
    );
  });
});

describe('with MANAGEMENT_PORT and an OpenTelemetry SDK', () => {
  it('names the spans of both ports after their routes', async () => {
    const receiver = await startSpanReceiver();
    const [service, managementUrl] = await startWithManagementPort({
      cwd: project,
      env: { NODE_OPTIONS: `--require=${AGENT}`, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
    });
    await request(managementUrl).get('/metrics').expect(200);
    await request(managementUrl).get('/system/readyz').expect(200);
    await request(service.url).get('/system/info').expect(200);
    await waitFor(() => receiver.spans.length >= 3).finally(receiver.close);
    await stopService(service);
    expect(receiver.spans.map(({ name, attributes }) => [name, attributes['http.route']])).toEqual([
      ['GET /metrics', '/metrics'],
      ['GET /system/readyz', '/system/readyz'],
      ['GET /system/info', '/system/info'],
    ]);
  });
});

describe('without an OpenTelemetry SDK', () => {
  it("logs the caller's trace id, and passes the caller's trace context on", async () => {
    const service = await startService({ cwd: project, env: { UPSTREAM_URL: upstreamUrl } });
    const read = request(service.url).get('/ferrets/7').set('X-Request-Id', 'read');
    const expected = { 'x-request-id': 'read', ...TRACE_CONTEXT };
    expect((await read.set(TRACE_CONTEXT).expect(200)).body).toMatchObject([expected, expected]);
    const records = parseLog((await stopService(service)).stdout).filter(
      ({ requestId }) => requestId === 'read',
    );
    expect(records).toMatchObject([{ trace_id: TRACE_ID }, { trace_id: TRACE_ID }]);
    for (const record of records) expect(record).not.toHaveProperty('span_id');
  });
});
