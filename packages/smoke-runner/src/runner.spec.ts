import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Options, parseOptions } from './options.js';
import type { Report } from './report.js';
import { Runner } from './runner.js';

const INFO = { version: '1.0.0', revision: 'aaaaaaa' };

describe('Runner', () => {
  let server: Server;

  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  /**
   * Runs the probes of a target that responds with `{}` to each request.
   *
   * @param paths the paths of its OpenAPI document
   * @param listener may send another response, and sends the responses of `/slow` and `/echo`
   */
  async function run(
    paths: object,
    args: string[] = [],
    listener: RequestListener = () => undefined,
  ): Promise<Report> {
    server = createServer((request, response) => {
      const { url = '', headers } = request;
      response.setHeader('X-Request-Id', headers['x-request-id'] ?? '');
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('Cache-Control', 'no-store');
      if (url.startsWith('/unknown')) response.statusCode = 404;
      listener(request, response);
      if (response.writableEnded || url === '/slow' || url === '/echo') return;
      if (url === '/system/info') response.end(JSON.stringify(INFO));
      else if (url === '/openapi.json') response.end(JSON.stringify({ openapi: '3.1.0', paths }));
      else response.end(url.startsWith('/unknown') ? '{"detail":"Not Found"}' : '{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    // Results are in the order of completion, which is the order of the probes only without concurrency.
    const options = parseOptions([`localhost:${port}`, '--concurrency', '1', ...args]) as Options;
    return new Runner(options).run();
  }

  const safe = { get: { responses: { 200: {} } } };
  const unsafe = { post: { responses: { 200: {} } } };

  function getNames({ results }: Report): string[] {
    return results.map(({ name }) => name);
  }

  it('passes when every probe passes', async () => {
    const report = await run({ '/a': safe });
    expect(report).toMatchObject({ outcome: 'passed', info: INFO, skipped: [] });
    expect(getNames(report)).toEqual([
      'GET /openapi.json',
      'GET /a',
      'HEAD /a',
      'GET an unknown path',
      'HEAD an unknown path',
    ]);
    expect(report.results.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('skips the selected operations that are not safe to call', async () => {
    const paths = { '/a': { ...safe, ...unsafe }, '/b': { ...safe, ...unsafe } };
    const report = await run(paths, ['--include', '/a']);
    expect(report.skipped).toEqual(['POST /a']);
    expect(getNames(report)).toEqual(['GET /openapi.json', 'GET /a', 'HEAD /a']);
  });

  it('fails when a probe fails and the target stops responding', async () => {
    const args = ['--expect-version', INFO.version, '--concurrency', '1'];
    let infoCount = 0;
    const report = await run({ '/a': safe }, args, ({ url }, response) => {
      if (url === '/a') response.writeHead(500).end('{}');
      // Three requests before the probes, and one for each of the five probes.
      if (url === '/system/info' && ++infoCount > 8) response.socket?.destroy();
    });
    expect(report).toMatchObject({
      outcome: 'failed',
      error: expect.stringContaining('expected a response') as string,
    });
  });

  it('is unreachable when all probes pass and the target stops responding', async () => {
    const args = ['--expect-version', INFO.version, '--concurrency', '1'];
    let infoCount = 0;
    const report = await run({ '/a': safe }, args, ({ url }, response) => {
      if (url === '/system/info' && ++infoCount > 8) response.socket?.destroy();
    });
    expect(report.outcome).toBe('unreachable');
  });

  it('completes the other probes of a batch when another version responds to one', async () => {
    const args = ['--expect-version', INFO.version, '--concurrency', '2'];
    let infoCount = 0;
    const report = await run({ '/slow': safe, '/b': safe }, args, ({ url }, response) => {
      if (url === '/system/info' && ++infoCount === 6) {
        response.end(JSON.stringify({ ...INFO, version: '0.9.0' }));
      }
      if (url === '/slow') setTimeout(() => response.end('{}'), 100);
    });
    expect(report.outcome).toBe('wrongVersion');
    expect(getNames(report)).toEqual(['GET /openapi.json', expect.stringMatching('/slow')]);
  });

  describe('with --max-response-time', () => {
    it('fails each probe whose response takes longer, and continues', async () => {
      const report = await run(
        { '/a': safe },
        ['--max-response-time', '0ms'],
        (request, response) => {
          if (request.url === '/a') response.setHeader('Cache-Control', 'public');
        },
      );
      const wrongHeader = 'expected Cache-Control no-store, got "public"';
      expect(getNames(report)).toHaveLength(5);
      for (const { name, failures, durationMs } of report.results) {
        expect(failures).toEqual([
          ...(name.endsWith(' /a') ? [wrongHeader] : []),
          `expected a response within 0 ms, got one after ${durationMs} ms`,
        ]);
      }
    });

    it('passes when each response is in time', async () => {
      const report = await run({ '/a': safe }, ['--max-response-time', '10m']);
      expect(report.outcome).toBe('passed');
    });
  });

  describe('with --logs', () => {
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
    });

    afterEach(async () => {
      await rm(folder, { recursive: true });
    });

    it.each([
      ['passes when the echoed text is not logged', false],
      ['fails when the echoed text is logged', true],
    ])('%s', async (_, isLogged) => {
      const log = join(folder, 'app.log');
      const content = { 'application/json': { example: { ping: '' } } };
      const paths = {
        '/log': { get: { 'x-smoke-test': { logs: { event: 'a' } }, responses: { 200: {} } } },
        '/echo': {
          put: {
            'x-smoke-test': { echo: { ping: 'ping' } },
            requestBody: { content },
            responses: { 200: {}, 422: {} },
          },
        },
      };
      const report = await run(paths, ['--logs', log], (request, response) => {
        if (request.method === 'GET' && request.url === '/log') {
          const record = { requestId: request.headers['x-request-id'], event: 'a' };
          appendFileSync(log, `${JSON.stringify(record)}\n`);
        }
        if (request.url === '/echo') {
          void text(request).then((body) => {
            if (isLogged) appendFileSync(log, `${body}\n`);
            response.writeHead(body.startsWith('{') ? 200 : 422).end(body);
          });
        }
      });
      const failures = isLogged ? ['expected no secret of a request in the log, got one'] : [];
      expect(report.results.at(-1)).toMatchObject({ name: 'No secret in the log', failures });
      expect(report.outcome).toBe(isLogged ? 'failed' : 'passed');
      // The runner waits a second for a duplicate record. Durations include the responses only.
      const durations = report.results.map(({ durationMs }) => durationMs);
      expect(durations.reduce((a, b) => a + b)).toBeLessThan(report.durationMs - 900);
    });
  });
});
