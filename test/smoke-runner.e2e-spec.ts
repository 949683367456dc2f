import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import { Controller, Get, Module } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { AuthModule } from '../src/platform/auth/auth.module.js';
import { Authenticated } from '../src/platform/auth/authenticated.decorator.js';
import { createTestApp } from './fixtures/app.js';
import { type Exit, type Service, startService, stopService } from './fixtures/process.js';
import { createToken } from './fixtures/tokens.js';

const OLD_REVISION = 'aaaaaaaaaa';
const NEW_REVISION = 'bbbbbbbbbb';

const servers: Server[] = [];
const running = new Set<ChildProcess>();
let oldService: Service;
let service: Service;
let folder: string;
/** The document of the services. */
let documentFile: string;
/** Options that exclude the operations of features that app.module.ts imports: `nest generate` adds some. */
let excludeOthers: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
  [oldService, service] = await Promise.all([
    startService({ env: { GIT_REVISION: OLD_REVISION, LOG_FILE: join(folder, 'old.log') } }),
    startService({ env: { GIT_REVISION: NEW_REVISION, LOG_FILE: join(folder, 'new.log') } }),
  ]);
  const document = await (await fetch(`${service.url}/openapi.json`)).text();
  documentFile = join(folder, 'openapi.json');
  await writeFile(documentFile, document);
  const { paths } = JSON.parse(document) as OpenAPIObject;
  excludeOthers = Object.keys(paths)
    .filter((path) => !PROBES.some((name) => name.endsWith(` ${path}`)))
    .flatMap((path) => ['--exclude', path]);
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const server of servers) server.close();
  await Promise.all([stopService(oldService), stopService(service)]);
  await rm(folder, { recursive: true });
});

/** Runs the smoke runner until it exits. */
async function runSmoke(args: string[], input?: NodeJS.ReadableStream): Promise<Exit> {
  const child = spawn(
    process.execPath,
    ['packages/smoke-runner/dist/main.js', ...args, ...excludeOthers],
    {
      env: { PATH: process.env.PATH },
      stdio: 'pipe',
    },
  );
  running.add(child);
  // The runner may exit before the input ends.
  child.stdin.on('error', () => undefined);
  if (input) input.pipe(child.stdin);
  else child.stdin.end();
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'exit') as Promise<[number]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  running.delete(child);
  return { code, stdout, stderr };
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts a load balancer that chooses a service for each connection, counted from 0. */
async function startLoadBalancer(choose: (connection: number) => Service): Promise<string> {
  let connectionCount = 0;
  return listen(
    createTcpServer((client) => {
      const { port } = new URL(choose(connectionCount++).url);
      const backend = connect(Number(port), '127.0.0.1');
      client.on('error', () => backend.destroy());
      backend.on('error', () => client.destroy());
      client.pipe(backend).pipe(client);
    }),
  );
}

/** Starts a server that forwards each request that the listener does not respond to. */
async function startProxy(listener: (...args: Parameters<RequestListener>) => unknown) {
  const handle = async (...[request, response]: Parameters<RequestListener>) => {
    const { method = '', url = '', headers } = request;
    response.setHeader('X-Request-Id', String(headers['x-request-id']));
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Cache-Control', 'no-store');
    await listener(request, response);
    if (response.writableEnded) return;
    const forwarded = await fetch(service.url + url, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: method === 'POST' ? await text(request) : undefined,
    });
    response.writeHead(forwarded.status).end(await forwarded.text());
  };
  return listen(createServer((request, response) => void handle(request, response)));
}

/** Returns the lines that a run printed, without durations. */
function getLines({ stdout }: Exit): string[] {
  return stdout
    .replace(/ [\d.]+ m?s$/gm, '')
    .trimEnd()
    .split('\n');
}

/** Returns the lines about failures. */
function getFailures(result: Exit): string[] {
  return getLines(result).filter((line) => /^(✗|    )/.test(line));
}

const PATHS = [
  '/system/readyz',
  '/system/info',
  '/api/v1/smoke-test',
  '/system/healthz',
  '/smoke-test',
  '/v1/health/smoke-test',
];

const PROBES = [
  'GET /openapi.json',
  ...PATHS.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]),
  'POST /api/v1/system/smoke-test',
  'POST /api/v1/system/smoke-test with a wrong body',
  'GET an unknown path',
  'HEAD an unknown path',
];

describe('petsage-smoke', () => {
  it('calls every operation that is safe to call', async () => {
    const result = await runSmoke([service.url]);
    const [first, ...lines] = getLines(result);
    expect(first).toBe(`${service.url}: version 1.0.0, revision ${NEW_REVISION}`);
    expect(lines.pop()).toBe(`${PROBES.length} passed in`);
    expect(lines.sort()).toEqual(PROBES.map((name) => `✓ ${name}`).sort());
    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  it('calls the selected operations only', async () => {
    const args = ['--include', 'System*', '--include', '/smoke-test', '--exclude', '*/readyz'];
    const result = await runSmoke([service.url, ...args]);
    const expected = PROBES.filter((name) =>
      /openapi|info|healthz|D \/smoke|T \/smoke|POST/.test(name),
    );
    expect(getLines(result).slice(1, -1).sort()).toEqual(
      expected.map((name) => `✓ ${name}`).sort(),
    );
  });

  it('reads the document from a file if the service does not serve it', async () => {
    const undocumented = await startService({ env: { DOCS: 'false' } });
    const result = await runSmoke([undocumented.url, '--document', documentFile]);
    await stopService(undocumented);
    expect(getLines(result).slice(1, -1).sort()).toEqual(
      PROBES.slice(1)
        .map((name) => `✓ ${name}`)
        .sort(),
    );
    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  it('prints JSON', async () => {
    const result = await runSmoke([service.url, '--json', '--include', '/system/healthz']);
    const report = JSON.parse(result.stdout) as {
      results: { durationMs: number }[];
      durationMs: number;
    };
    const anyNumber = expect.any(Number) as number;
    const passed = (method: string, path: string, flag: string) => ({
      name: `${method} ${path}`,
      failures: [],
      durationMs: anyNumber,
      curl: `curl ${flag} '${service.url}${path}'`,
    });
    expect(report).toEqual({
      url: service.url,
      outcome: 'passed',
      info: { version: '1.0.0', revision: NEW_REVISION },
      results: [
        passed('GET', '/openapi.json', '-i'),
        passed('GET', '/system/healthz', '-i'),
        passed('HEAD', '/system/healthz', '-I'),
      ],
      skipped: [],
      skippedWithoutCredentials: [],
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      durationMs: anyNumber,
    });
    const durations = [report, ...report.results].map(({ durationMs }) => durationMs);
    expect(durations.every(Number.isInteger)).toBe(true);
    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  it('waits for the expected version', async () => {
    const url = await startLoadBalancer((connection) => (connection < 4 ? oldService : service));
    const args = ['--expect-version', '1.0.0', '--expect-revision', NEW_REVISION.slice(0, 7)];
    const result = await runSmoke([url, ...args, '--wait', '30s']);
    const [waiting, target] = getLines(result);
    expect(waiting?.replace(/\d+ s left/, '30 s left')).toBe(
      `Waiting for ${url} (30 s left): expected version 1.0.0, revision ${NEW_REVISION.slice(0, 7)}, got version 1.0.0, revision ${OLD_REVISION}`,
    );
    expect(target).toBe(`${url}: version 1.0.0, revision ${NEW_REVISION}`);
    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  // Three connections before the first probe, and one for each probe.
  it.each([
    ['to the first request', 0, 0],
    ['to a probe', 3 + 5, 5],
    ['after the last probe', 3 + PROBES.length, PROBES.length],
  ])('exits with 4 when an old version responds %s', async (_, newConnections, passed) => {
    const url = await startLoadBalancer((connection) =>
      connection < newConnections ? service : oldService,
    );
    const result = await runSmoke([url, '--expect-revision', NEW_REVISION, '--concurrency', '1']);
    expect(getFailures(result)).toEqual([
      `✗ expected version 1.0.0, revision ${NEW_REVISION}, got version 1.0.0, revision ${OLD_REVISION}`,
    ]);
    expect(getLines(result).at(-1)).toBe(`${passed} passed in`);
    expect(result).toMatchObject({ code: 4, stderr: '' });
  });

  it('prints what failed and how to repeat the request', async () => {
    const url = await startProxy(({ url }, response) => {
      if (url === '/system/healthz') response.writeHead(503).end('{"detail":"No"}');
    });
    const result = await runSmoke([url, '--concurrency', '1']);
    expect(getFailures(result)).toEqual([
      '✗ GET /system/healthz',
      '    expected status 200, got 503: {"detail":"No"}',
      `    curl -i '${url}/system/healthz'`,
      '✗ HEAD /system/healthz',
      '    expected status 200, got 503',
      `    curl -I '${url}/system/healthz'`,
    ]);
    expect(getLines(result).at(-1)).toBe(`${PROBES.length - 2} passed, 2 failed in`);
    expect(result).toMatchObject({ code: 1, stderr: '' });
  });

  it('lists the operations that it does not call', async () => {
    const url = await startProxy(({ url }, response) => {
      if (url !== '/openapi.json') return;
      const paths = { '/pets': { get: { responses: {} }, post: { responses: {} } } };
      response.end(JSON.stringify({ openapi: '3.1.0', paths }));
    });
    const result = await runSmoke([url, '--include', '/pets']);
    expect(getLines(result)).toContain('- POST /pets skipped: not known to be safe to call');
  });

  it('exits with 1 when the target closes each connection', async () => {
    const url = await startProxy((_, response) => response.setHeader('Connection', 'close'));
    const result = await runSmoke([url, '--expect-revision', NEW_REVISION]);
    expect(getFailures(result)).toEqual([
      '✗ GET /openapi.json',
      '    expected a keep-alive connection, got one that the target closes after each response',
      `    curl -i '${url}/openapi.json'`,
    ]);
    expect(result).toMatchObject({ code: 1, stderr: '' });
  });

  it.each([
    ['is not found', 404, '{"detail":"Not Found"}', 'expected status 200, got 404'],
    ['is not an OpenAPI document', 200, '{}', 'expected an OpenAPI 3.1 document, got version'],
  ])('exits with 1 when the document %s', async (_, status, body, failure) => {
    const url = await startProxy((request, response) => {
      if (request.url !== '/openapi.json') return;
      response.writeHead(status).end(body);
    });
    const result = await runSmoke([url]);
    expect(result.stdout).toContain(failure);
    expect(result).toMatchObject({ code: 1, stderr: '' });
  });

  it('does not print secrets', async () => {
    const url = await startProxy(({ headers, url }, response) => {
      const { 'x-api-key': key, authorization } = headers;
      if (url === '/openapi.json') {
        const content = { 'application/json': { example: { key } } };
        const post = { 'x-smoke-test': true, requestBody: { content }, responses: { 200: {} } };
        const paths = { [`/${encodeURIComponent(String(key))}`]: { post } };
        response.setHeader('X-Request-Id', String(headers['x-request-id']));
        response.end(JSON.stringify({ openapi: '3.1.0', paths }));
        return;
      }
      response.writeHead(307, { Location: `https://a.example/?key=${String(key)}` });
      response.end(JSON.stringify({ key, authorization, said: '"quoted" words\x1b[2J' }));
    });
    const target = url.replace('//', '//cat:hunter2-hunter2@');
    const [junit, summary] = [join(folder, 'secret.xml'), join(folder, 'secret.md')];
    const args = ['--header', 'X-Api-Key: "quoted" words', '--json'];
    const result = await runSmoke([target, ...args, '--junit', junit, '--summary', summary]);
    const files = await Promise.all([readFile(junit, 'utf8'), readFile(summary, 'utf8')]);
    const printed = [result.stdout, result.stderr, ...files].join('\n');
    for (const file of files) expect(file).toContain("-H 'X-Api-Key: ***'");
    expect(result.code).toBe(1);
    expect(printed).toContain('got 307 to https://a.example/?key=***');
    expect(printed).toContain("-H 'Authorization: ***' -H 'X-Api-Key: ***'");
    expect(printed).not.toMatch(/hunter2|quoted|Y2F0/);
  });

  it('appends a summary', async () => {
    const summary = join(folder, 'summary.md');
    await writeFile(summary, '# Deployment\n');
    const args = ['--include', '/smoke-test', '--summary', summary];
    const result = await runSmoke([service.url, ...args]);
    const markdown = await readFile(summary, 'utf8');
    expect(markdown).toMatch(/^# Deployment\n### ✅ Smoke test: 3 passed in [\d.]+ s\n\n<p>/);
    expect(markdown).toContain('<td><code>HEAD /smoke-test</code></td>');
    expect(result).toMatchObject({ code: 0, stderr: '' });
  });

  describe('with an https:// URL', () => {
    const certificate = 'test/fixtures/tls/cert.pem';
    let url: string;

    beforeAll(async () => {
      const [cert, key] = await Promise.all([
        readFile(certificate),
        readFile('test/fixtures/tls/key.pem'),
      ]);
      const server = createTlsServer({ cert, key }, (client) => {
        const backend = connect(Number(new URL(service.url).port), '127.0.0.1');
        client.on('error', () => backend.destroy());
        client.pipe(backend).pipe(client);
      });
      url = (await listen(server)).replace('http:', 'https:');
    });

    it('exits with 3 when the CA of the certificate is unknown', async () => {
      const result = await runSmoke([url]);
      expect(getFailures(result)).toEqual([
        '✗ expected a response, got a certificate of an unknown CA. Add the CA with --cacert.',
      ]);
      expect(result).toMatchObject({ code: 3, stderr: '' });
    });

    it('trusts the certificates of --cacert', async () => {
      const args = ['--cacert', certificate, '--expect-revision', NEW_REVISION, '--json'];
      const result = await runSmoke([url, ...args]);
      expect(JSON.parse(result.stdout)).toMatchObject({
        results: expect.arrayContaining([
          {
            name: 'GET /system/healthz',
            failures: [],
            durationMs: expect.any(Number) as number,
            curl: `curl -i --cacert '${certificate}' '${url}/system/healthz'`,
          },
        ]) as unknown,
      });
      expect(result).toMatchObject({ code: 0, stderr: '' });
    });
  });

  it('sends headers from a file', async () => {
    const file = join(folder, 'headers');
    await writeFile(file, 'Accept: application/json\nX-Status: status\n');
    const result = await runSmoke([service.url, '--header', `@${file}`]);
    expect(getLines(result).at(-1)).toBe(`${PROBES.length} passed in`);
  });

  describe('with operations that require credentials', () => {
    @Controller('protected')
    class ProtectedController {
      @Get()
      @Authenticated()
      find() {
        return {};
      }
    }

    @Module({ imports: [AuthModule], controllers: [ProtectedController] })
    class ProtectedModule {}

    it('skips them without a token, and says how many', async () => {
      const { app } = await createTestApp({ features: [ProtectedModule] });
      const { code, stdout } = await runSmoke([await app.getUrl()]);
      expect(stdout).toContain(
        '\n- GET /protected skipped: requires credentials\n1 skipped because they require credentials. Set SMOKE_TOKEN or --header.\n',
      );
      expect(code).toBe(0);
    });

    it('calls them with a token', async () => {
      const { app } = await createTestApp({ features: [ProtectedModule] });
      const header = `Authorization: Bearer ${await createToken(app, { sub: 'smoke-test' })}`;
      const { code, stdout } = await runSmoke(['--header', header, await app.getUrl()]);
      expect(stdout).toMatch(/^✓ GET \/protected /m);
      expect(stdout).not.toContain('requires credentials');
      expect(code).toBe(0);
    });
  });

  describe('--logs', () => {
    const include = ['/v1/health/smoke-test', '/api/v1/system/smoke-test'];
    const args = include.flatMap((path) => ['--include', path]);

    it('finds the record of its request in a file', async () => {
      const result = await runSmoke([service.url, ...args, '--logs', join(folder, 'new.log')]);
      expect(getLines(result).slice(-3)).toEqual([
        '✓ GET /v1/health/smoke-test',
        '✓ No secret in the log',
        '6 passed in',
      ]);
      expect(result).toMatchObject({ code: 0, stderr: '' });
    });

    it('finds the record on standard input', async () => {
      const piped = await startService();
      const { stdout } = piped.process;
      const result = await runSmoke([piped.url, ...args, '--logs', '-'], stdout ?? undefined);
      await stopService(piped);
      expect(result).toMatchObject({ code: 0, stderr: '' });
    });

    // Skipped on Windows, which has no mkfifo.
    const itOnPosix = process.platform === 'win32' ? it.skip : it;
    itOnPosix('finds the record in a named pipe that stays open', async () => {
      const pipe = join(folder, 'pipe');
      execFileSync('mkfifo', [pipe]);
      const piped = await startService();
      const result = runSmoke([piped.url, ...args, '--logs', pipe]);
      // The pipe opens as soon as the runner reads from it.
      const writer = createWriteStream(pipe);
      piped.process.stdout?.pipe(writer);
      expect(await result).toMatchObject({ code: 0, stderr: '' });
      writer.on('error', () => undefined);
      await stopService(piped);
    });

    it('exits with 1 when the record is missing', async () => {
      const logs = ['--logs', join(folder, 'old.log'), '--logs-within', '200ms'];
      const result = await runSmoke([service.url, ...args, ...logs]);
      expect(getFailures(result)).toEqual([
        '✗ GET /v1/health/smoke-test',
        expect.stringMatching(
          /^ {4}expected one log record with \{"requestId":"petsage-smoke-\S{36}","event":"smoke_test_executed","service":"petsage-api","status":"success"\} within 200 ms, got none in 0 lines of \S+\/old\.log$/,
        ),
        expect.stringContaining('curl'),
      ]);
      expect(result.code).toBe(1);
    });

    it('exits with 1 when a secret is logged, and does not print it', async () => {
      const log = join(folder, 'secret.log');
      await writeFile(log, '');
      const url = await startProxy(async (request) => {
        if (request.method !== 'GET' || request.url !== include[0]) return;
        const record = {
          requestId: request.headers['x-request-id'],
          event: 'smoke_test_executed',
          service: 'petsage-api',
          status: 'success',
          key: request.headers['x-key'],
        };
        await appendFile(log, `${JSON.stringify(record)}\n`);
      });
      const secret = ['--header', 'X-Key: hunter2-hunter2'];
      const result = await runSmoke([url, ...args, '--logs', log, ...secret]);
      expect(getFailures(result)).toEqual([
        '✗ No secret in the log',
        '    expected no secret of a request in the log, got one',
      ]);
      expect(result.stdout).not.toContain('hunter2');
      expect(result).toMatchObject({ code: 1, stderr: '' });
    });
  });

  it('has the version of the service', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(await runSmoke(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  it('says before a build that npm run smoke needs one', async () => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
      scripts: { presmoke: string };
    };
    const run = (cwd: string) =>
      spawnSync(scripts.presmoke, { cwd, shell: true, encoding: 'utf8' });
    expect(run(process.cwd())).toMatchObject({ status: 0, stderr: '' });
    expect(run(folder)).toMatchObject({
      status: 2,
      stderr: 'The smoke runner is not built. Run: npm run build\n',
    });
  });

  it.each<[number, string, () => string[], RegExp]>([
    [0, '--help', () => ['--help'], /^$/],
    [2, 'no URL', () => [], /^Expected one URL, got 0\.\nSee petsage-smoke --help\.\n$/],
    [2, 'an unknown option', () => [service.url, '--nope'], /^Unknown option '--nope'/],
    [
      2,
      'a JUnit file that cannot be written',
      () => [service.url, '--junit', '/nowhere/a'],
      /^ENOENT/,
    ],
    [
      2,
      'a summary that cannot be written',
      () => [service.url, '--summary', '/nowhere/a'],
      /^ENOENT: no such file or directory, open '\/nowhere\/a'\n/,
    ],
    [
      2,
      'a CA file that is not PEM',
      () => [service.url, '--cacert', 'package.json'],
      /^--cacert package\.json is invalid\. Use PEM certificates\.\n/,
    ],
    [2, 'a header file that cannot be read', () => [service.url, '-H', '@/nowhere'], /^ENOENT/],
    [
      2,
      'a document file that cannot be read',
      () => [service.url, '--document', '/nowhere.json'],
      /^--document \/nowhere\.json is invalid: ENOENT: .+\. Use an OpenAPI 3\.1 document in JSON\.\n/,
    ],
    [
      2,
      'a document file that is not JSON',
      () => [service.url, '--document', 'README.md'],
      /^--document README\.md is invalid: Unexpected token .+\. Use an OpenAPI 3\.1 document in JSON\.\n/,
    ],
    [
      2,
      'a document file without operations',
      () => [service.url, '--document', 'package.json'],
      /^--document package\.json is invalid: version undefined\. Use an OpenAPI 3\.1 document in JSON\.\n/,
    ],
    [2, 'a log that is a folder', () => [service.url, '--logs', '/'], /^$/],
    [2, 'no selected operation', () => [service.url, '--include', '/nope'], /^$/],
    [
      2,
      'no logging operation',
      () => [service.url, '--include', '/smoke-test', '--logs', '-'],
      /^$/,
    ],
    [3, 'a refused connection', () => ['http://127.0.0.1:1'], /^$/],
    [3, 'an unknown host', () => ['http://nowhere.invalid', '--wait', '300ms'], /^$/],
  ])('exits with %i for %s', async (code, _, args, stderr) => {
    const result = await runSmoke(args());
    expect(result.stderr).toMatch(stderr);
    expect(result.code).toBe(code);
  });
});
