import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { openSocket } from './fixtures/http.js';
import {
  createPreloadOption,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const COUNT = Number(process.env.FUZZ_REQUESTS ?? 3000);
/** The same seed generates the same requests. */
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** How many requests are generated at a time. */
const BATCH = 1000;
const CONCURRENCY = 200;

/** How long an exchange waits for the first bytes of a response. */
const RESPONSE_LIMIT_MS = 1000;
/** How long it waits for each further part. */
const NEXT_PART_LIMIT_MS = 10;

const ECHO = '/api/v1/system/smoke-test';

const ROUTES = [
  '/',
  '/api/v1/smoke-test',
  '/system/healthz',
  '/smoke-test',
  '/v1/health/smoke-test',
  ECHO,
  '/system/readyz',
  '/system/info',
  '/metrics',
  '/docs',
  '/docs/swagger-ui-init.js',
  '/openapi.json',
];
const KEYS = ['ping', '__proto__', 'constructor', 'prototype', 'toString', 'then', 'length', ''];

/** Text that is valid in a header. */
const words = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });

/** Text of arbitrary bytes. */
const bytes = fc
  .uint8Array({ maxLength: 40 })
  .map((array) => Buffer.from(array).toString('latin1'));

const target = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...ROUTES) },
  fc.tuple(fc.constantFrom(...ROUTES), bytes).map((parts) => parts.join('?')),
  fc.tuple(fc.constantFrom(...ROUTES), fc.webPath()).map((parts) => parts.join('')),
  fc
    .constantFrom(...ROUTES)
    .map((route) => route.replace(/[a-z]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)),
  fc.constantFrom(
    '*',
    '//',
    '/../..',
    '/%',
    '/%00',
    'http://a/',
    'http://',
    '/docs/..%2f..',
    '/docs/%2e%2e/x',
  ),
  fc.webUrl(),
  bytes,
);

const json = fc
  .letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.constantFrom(null, true, false, -0, 1e308, 9007199254740993),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(fc.constantFrom(...KEYS), tie('value')), { maxLength: 4 }).map(
        // Entries instead of an object, so that __proto__ is a key and keys repeat.
        (entries) => ({ entries }),
      ),
    ),
  }))
  .value.map((value) => stringify(value));

function stringify(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stringify).join()}]`;
  if (typeof value === 'object' && value !== null) {
    const { entries } = value as { entries: [string, unknown][] };
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${stringify(inner)}`).join()}}`;
  }
  return JSON.stringify(value);
}

const body = fc.oneof(
  { weight: 3, arbitrary: json.map((text) => Buffer.from(`{"ping":${text}}`)) },
  json.map((text) => Buffer.from(text)),
  json.map((text) => gzipSync(text)),
  bytes.map((text) => Buffer.from(text, 'latin1')),
  fc
    .constantFrom('', '{', '['.repeat(5000), `"${'x'.repeat(120_000)}"`)
    .map((text) => Buffer.from(text)),
);

const header = fc.oneof(
  fc.tuple(
    fc.constantFrom('Content-Type', 'content-type'),
    fc.constantFrom(
      'application/json',
      'application/json; charset=utf-16',
      'text/plain',
      'application/x+json;charset="',
      'multipart/form-data',
    ),
  ),
  fc.tuple(
    fc.constant('Content-Encoding'),
    fc.constantFrom('gzip', 'deflate', 'br', 'zstd', 'identity'),
  ),
  fc.tuple(
    fc.constant('Transfer-Encoding'),
    fc.constantFrom('chunked', 'identity', 'gzip, chunked'),
  ),
  fc.tuple(fc.constant('Content-Length'), fc.oneof(fc.integer().map(String), bytes)),
  fc.tuple(fc.constant('Connection'), fc.constantFrom('close', 'keep-alive', 'Upgrade', 'x')),
  fc.tuple(fc.constant('Upgrade'), fc.constantFrom('websocket', 'h2c')),
  fc.tuple(fc.constant('Expect'), fc.constantFrom('100-continue', '200-ok', '')),
  fc.tuple(
    fc.constantFrom(
      'Host',
      'X-Request-Id',
      'traceparent',
      'Origin',
      'Range',
      'If-None-Match',
      'If-Modified-Since',
      'Accept',
      'Accept-Encoding',
      'X-Forwarded-For',
      'X-HTTP-Method-Override',
      'Cookie',
      '__proto__',
    ),
    fc.oneof(words, fc.constantFrom('a', '*', 'bytes=0-1,5-', '127.0.0.1, ::1')),
  ),
  fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,20}$/), words),
  fc.tuple(fc.oneof(words, bytes), fc.oneof(words, bytes)),
);

const method = fc.constantFrom(
  'GET',
  'GET',
  'POST',
  'POST',
  'POST',
  'HEAD',
  'PUT',
  'OPTIONS',
  'DELETE',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'x',
);

/** A request that is well-formed unless one of its parts is not. */
const request = fc
  .record({
    start: fc.oneof(
      { weight: 2, arbitrary: fc.constant(['POST', ECHO] as const) },
      { weight: 3, arbitrary: fc.tuple(method, target) },
    ),
    version: fc.oneof(
      { weight: 8, arbitrary: fc.constant('1.1') },
      fc.constantFrom('1.0', '2.0', '9'),
    ),
    headers: fc.array(header, { maxLength: 2 }),
    body,
    framing: fc.constantFrom('length', 'length', 'chunks', 'none', 'wrong'),
  })
  .map(({ start, version, headers, body, framing }) => {
    const framed = {
      length: ['Content-Length', String(body.length)],
      wrong: ['Content-Length', String(body.length + 5)],
      chunks: ['Transfer-Encoding', 'chunked'],
      none: ['X', 'y'],
    }[framing];
    const lines = [['Host', 'a'], ['Content-Type', 'application/json'], ...headers, framed];
    const head = `${start.join(' ')} HTTP/${version}\r\n${lines.map((line) => `${line.join(': ')}\r\n`).join('')}\r\n`;
    const size = Buffer.from(`${body.length.toString(16)}\r\n`);
    const sent = framing === 'chunks' ? [size, body, Buffer.from('\r\n0\r\n\r\n')] : [body];
    return Buffer.concat([Buffer.from(head, 'latin1'), ...sent]);
  });

/** A request in which one byte is replaced. */
const damaged = fc.tuple(request, fc.nat(), fc.nat(255)).map(([sent, at, byte]) => {
  const copy = Buffer.from(sent);
  copy[at % Math.min(copy.length, 300)] = byte;
  return copy;
});

const input = fc.oneof(
  { weight: 5, arbitrary: request },
  { weight: 3, arbitrary: damaged },
  { weight: 1, arbitrary: fc.tuple(request, request).map((both) => Buffer.concat(both)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3000 }).map((array) => Buffer.from(array)) },
);

/** Sends bytes on a new connection and returns what is received until no more is. */
async function exchange(service: Service, sent: Buffer): Promise<string> {
  const socket = await openSocket(service).catch(() => undefined);
  // The service has exited. The test checks that after each batch.
  if (!socket) return '';
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let received = '';
  socket
    .setEncoding('latin1')
    .setTimeout(RESPONSE_LIMIT_MS)
    .on('data', (data: string) => {
      // Status lines are in the first part of what is received. The rest is not needed.
      if (received.length < 50_000) received += data;
      socket.setTimeout(NEXT_PART_LIMIT_MS);
    })
    .on('timeout', () => socket.destroy())
    .write(sent);
  await closed;
  return received;
}

describe(`${COUNT} generated requests (FUZZ_SEED=${SEED})`, () => {
  // Collects garbage on SIGUSR2.
  const NODE_OPTIONS = createPreloadOption(`
    import v8 from 'node:v8';
    import vm from 'node:vm';
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    process.on('SIGUSR2', () => { gc(); });`);
  const TIMEOUT_MS = COUNT * 10 + 60_000;

  let service: Service;

  beforeAll(async () => {
    service = await startService({ env: { NODE_OPTIONS, LOG_PROBE_TIMEOUT_MS: '60000' } });
  });

  async function readMetric(pattern: RegExp): Promise<number> {
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    return Number(pattern.exec(metrics)?.[1] ?? 0);
  }

  /** Reads the size of the service's heap, in MiB, after its garbage was collected. */
  async function readHeapMib(): Promise<number> {
    const readCollections = () =>
      readMetric(/^nodejs_gc_duration_seconds_count\{kind="major"\} (\d+)$/m);
    const before = await readCollections();
    // Node does not count a collection that runs within another one.
    await waitFor(async () => {
      service.process.kill('SIGUSR2');
      return (await readCollections()) > before;
    });
    return (await readMetric(/^nodejs_heap_size_used_bytes (\d+)$/m)) / 1024 ** 2;
  }

  it(
    'get no 5xx, do not end the process, and do not stay in memory',
    async () => {
      const statuses = new Set<string>();
      const failures: string[] = [];
      let heapMib = 0;
      for (let done = 0; done < COUNT; done += BATCH) {
        const inputs = fc.sample(input, {
          seed: SEED + done,
          numRuns: Math.min(BATCH, COUNT - done),
        });
        const sendInputs = async () => {
          for (let sent = inputs.pop(); sent !== undefined; sent = inputs.pop()) {
            const received = await exchange(service, sent);
            for (const [, status = ''] of received.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
              statuses.add(status);
              if (status >= '500') {
                failures.push(`${status} to ${JSON.stringify(sent.toString('latin1'))}`);
              }
            }
          }
        };
        await Promise.all(Array.from({ length: CONCURRENCY }, sendInputs));
        expect(failures).toEqual([]);
        if (service.process.exitCode !== null) {
          throw new Error(`The service exited: ${service.stdout.slice(-3000)}`);
        }
        // The first batch fills caches and creates the series of the metrics.
        if (done === 0) heapMib = await readHeapMib();
      }
      // The only request in progress is this one.
      await waitFor(async () => (await readMetric(/^http_requests_in_flight (\d+)$/m)) === 1);
      // Not at once: connections that are being closed are released by a later collection.
      await waitFor(async () => (await readHeapMib()) < heapMib + 4);
      // The requests are different enough to reach every part of the service.
      expect([...statuses]).toEqual(
        expect.arrayContaining(['200', '400', '404', '405', '413', '415', '422']),
      );
      expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    },
    TIMEOUT_MS,
  );
});
