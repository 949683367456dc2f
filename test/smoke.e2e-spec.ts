import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Ended, type Service, startService, stopService } from './fixtures/process.js';

const OLD = 'aaaaaaaaaa';
const NEW = 'bbbbbbbbbb';

const servers: Server[] = [];
const running = new Set<ChildProcess>();
let old: Service;
let current: Service;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
  [old, current] = await Promise.all([
    startService({ env: { GIT_REVISION: OLD, LOG_FILE: join(folder, 'old.log') } }),
    startService({ env: { GIT_REVISION: NEW, LOG_FILE: join(folder, 'new.log') } }),
  ]);
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const server of servers) server.close();
  await Promise.all([stopService(old), stopService(current)]);
  await rm(folder, { recursive: true });
});

/** Runs dist/smoke.js to its end, with what it reads from standard input. */
async function smoke(args: string[], input?: NodeJS.ReadableStream): Promise<Ended> {
  const child = spawn(process.execPath, ['dist/smoke.js', ...args], {
    env: { PATH: process.env.PATH },
    stdio: 'pipe',
  });
  running.add(child);
  // It ends when it has seen enough.
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

/** A balancer: its connections, counted from 0, go where the test says. */
async function balancer(next: (connection: number) => Service): Promise<string> {
  let connections = 0;
  return listen(
    createTcpServer((client) => {
      const backend = connect(Number(new URL(next(connections++).url).port), '127.0.0.1');
      client.on('error', () => backend.destroy());
      backend.on('error', () => client.destroy());
      client.pipe(backend).pipe(client);
    }),
  );
}

/** A server that is no service. */
function target(listener: RequestListener): Promise<string> {
  return listen(createServer(listener));
}

function documentOf(paths: object, components = {}): string {
  return JSON.stringify({ openapi: '3.1.0', paths, components });
}

/** Every line of a run, without the times. */
function linesOf({ stdout }: Ended): string[] {
  return stdout
    .replace(/ [\d.]+ m?s$/gm, '')
    .trimEnd()
    .split('\n');
}

/** What fails, with all that is said of it. */
function failuresOf(ended: Ended): string[] {
  return linesOf(ended).filter((line) => /^(✗|    )/.test(line));
}

const PATHS = [
  '/system/readyz',
  '/system/info',
  '/api/v1/smoke-test',
  '/system/healthz',
  '/smoke-test',
  '/v1/health/smoke-test',
];

const CHECKS = [
  'GET /openapi.json',
  ...PATHS.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]),
  'POST /api/v1/system/smoke-test',
  'POST /api/v1/system/smoke-test with a wrong body',
  'GET an unknown path',
  'HEAD an unknown path',
];

describe('petsage-smoke', () => {
  it('calls all that is safe to call', async () => {
    const ended = await smoke([current.url, '--concurrency', '1']);
    const [first, ...lines] = linesOf(ended);
    expect(first).toBe(`${current.url}: version 1.0.0, revision ${NEW}`);
    expect(lines.pop()).toBe(`${CHECKS.length} passed in`);
    expect(lines.sort()).toEqual(CHECKS.map((name) => `✓ ${name}`).sort());
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('calls only what it is asked to call', async () => {
    const args = ['--include', 'System*', '--include', '/smoke-test', '--exclude', '*/readyz'];
    const ended = await smoke([current.url, ...args]);
    const expected = CHECKS.filter((name) =>
      /openapi|info|healthz|D \/smoke|T \/smoke|POST/.test(name),
    );
    expect(linesOf(ended).slice(1, -1).sort()).toEqual(expected.map((name) => `✓ ${name}`).sort());
  });

  it('prints JSON when asked to', async () => {
    const ended = await smoke([current.url, '--json', '--include', '/system/healthz']);
    const anyTime = expect.any(Number) as number;
    const result = (method: string, path: string, flag = '-i') => ({
      name: `${method} ${path}`,
      faults: [],
      durationMs: anyTime,
      curl: `curl ${flag} '${current.url}${path}'`,
    });
    expect(JSON.parse(ended.stdout)).toEqual({
      url: current.url,
      outcome: 'passed',
      info: { version: '1.0.0', revision: NEW },
      results: [
        result('GET', '/openapi.json'),
        result('GET', '/system/healthz'),
        result('HEAD', '/system/healthz', '-I'),
      ],
      skipped: [],
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      durationMs: anyTime,
    });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['in colors', {}, '\x1b[32m✓\x1b[39m'],
    ['without colors by NO_COLOR', { NO_COLOR: '1' }, '✓'],
  ])('shows on a terminal what goes on, %s', async (_, env, mark) => {
    const command = `stty cols 20; '${process.execPath}' dist/smoke.js ${current.url} --include /system/healthz --concurrency 1`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { PATH: process.env.PATH, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const shown = await text(child.stdout);
    // The name of a check, cut to the width of the terminal, and its result in the same line.
    expect(shown).toContain(`\r\x1b[KHEAD /system/health\r\x1b[K${mark} HEAD /system/healthz `);
  });

  it('waits for the version that is expected', async () => {
    const url = await balancer((connection) => (connection < 4 ? old : current));
    const args = ['--expect-version', '1.0.0', '--expect-revision', NEW.slice(0, 7)];
    const ended = await smoke([url, ...args, '--wait', '30s']);
    expect(linesOf(ended).slice(0, 2)).toEqual([
      `expected version 1.0.0, revision ${NEW.slice(0, 7)}, found version 1.0.0, revision ${OLD}`,
      `${url}: version 1.0.0, revision ${NEW}`,
    ]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('waits until something answers', async () => {
    const server = createTcpServer();
    const url = await listen(server);
    server.close();
    await once(server, 'close');
    const waiting = smoke([url, '--wait', '30s']);
    const late = await startService({ env: { LOG_LEVEL: 'silent' } });
    server.on('connection', (client) => {
      const backend = connect(Number(new URL(late.url).port), '127.0.0.1');
      client.on('error', () => backend.destroy());
      client.pipe(backend).pipe(client);
    });
    server.listen(Number(new URL(url).port), '127.0.0.1');
    const ended = await waiting;
    await stopService(late);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it.each<[string, (connection: number) => Service]>([
    ['the old one stays', () => old],
    ['two take turns', (connection) => (connection % 2 ? current : old)],
    ['the old one is back during the checks', (connection) => (connection < 8 ? current : old)],
    [
      'the old one is back at the end',
      // The gate asks three times before, and each check has a connection.
      (connection) => (connection < 3 + CHECKS.length ? current : old),
    ],
  ])('ends with 4 when %s', async (_, next) => {
    const url = await balancer(next);
    const args = ['--expect-revision', NEW, '--wait', '500ms', '--concurrency', '1'];
    const ended = await smoke([url, ...args]);
    const found = `expected revision ${NEW}, found version 1.0.0, revision ${OLD}`;
    expect(failuresOf(ended)).toEqual([`✗ ${found}`]);
    // Where it never was the expected one three times in a row, nothing else is asked.
    if (next(1) !== next(2)) expect(ended.stdout).not.toContain('✓');
    expect(ended).toMatchObject({ code: 4, stderr: '' });
  });

  it('names the check that fails, what was expected, and how to repeat it', async () => {
    const broken = await startService({ stdout: openSync('/dev/full', 'w') });
    const args = ['--exclude', '/system/readyz', '--concurrency', '1'];
    const ended = await smoke([broken.url, ...args]);
    await stopService(broken);
    expect(failuresOf(ended)).toEqual([
      '✗ GET /v1/health/smoke-test',
      `    expected status 200, found 503: {"detail":"The log's destination refused the record: ENOSPC"}`,
      `    curl -i '${broken.url}/v1/health/smoke-test'`,
      '✗ HEAD /v1/health/smoke-test',
      '    expected status 200, found 503',
      `    curl -I '${broken.url}/v1/health/smoke-test'`,
    ]);
    expect(linesOf(ended).at(-1)).toBe(`${CHECKS.length - 4} passed, 2 failed in`);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  it('never prints what is secret', async () => {
    const url = await target((request, response) => {
      const { 'x-api-key': key, authorization } = request.headers;
      if (request.url === '/openapi.json') {
        const schema = { type: 'object' };
        const content = { 'application/json': { schema, example: { key } } };
        const post = { 'x-smoke-test': true, requestBody: { content }, responses: { 200: {} } };
        response.setHeader('Content-Type', 'application/json');
        response.end(documentOf({ [`/${encodeURIComponent(String(key))}`]: { post } }));
        return;
      }
      response.writeHead(307, { Location: `https://a.example/?key=${String(key)}` });
      response.end(JSON.stringify({ key, authorization, said: '"quoted" words\x1b[2J' }));
    });
    const credentials = url.replace('//', '//cat:hunter2-hunter2@');
    const keys = ['--header', 'X-Api-Key: "quoted" words', '--json'];
    const junit = join(folder, 'secret.xml');
    const ended = await smoke([credentials, ...keys, '--junit', junit]);
    const printed = ended.stdout + ended.stderr + (await readFile(junit, 'utf8'));
    expect(ended.code).toBe(1);
    expect(printed).toContain('found 307 to https://a.example/?key=***');
    expect(printed).toContain("-H 'Authorization: ***' -H 'X-Api-Key: ***'");
    expect(printed).not.toMatch(/hunter2|quoted|Y2F0/);
  });

  describe('--logs', () => {
    const only = ['--include', '/v1/health/smoke-test', '--include', '/api/v1/system/smoke-test'];
    const args = [...only, '--concurrency', '1'];

    it('finds the record of its own call in a file', async () => {
      const ended = await smoke([current.url, ...args, '--logs', join(folder, 'new.log')]);
      expect(linesOf(ended).slice(-4)).toEqual([
        '✓ POST /api/v1/system/smoke-test with a wrong body',
        '✓ GET /v1/health/smoke-test',
        '✓ Nothing secret in the log',
        '6 passed in',
      ]);
      expect(ended).toMatchObject({ code: 0, stderr: '' });
    });

    it('finds it in what a pipe brings', async () => {
      const piped = await startService();
      const { stdout } = piped.process;
      const ended = await smoke([piped.url, ...args, '--logs', '-'], stdout ?? undefined);
      await stopService(piped);
      expect(ended).toMatchObject({ code: 0, stderr: '' });
    });

    it('fails when it is in another log', async () => {
      const other = join(folder, 'old.log');
      const ended = await smoke([current.url, ...args, '--logs', other, '--logs-within', '200ms']);
      expect(failuresOf(ended)).toEqual([
        '✗ GET /v1/health/smoke-test',
        expect.stringMatching(
          /^ {4}expected one record with \{"requestId":"petsage-smoke-\S{36}","event":"smoke_test_executed","service":"petsage-api","status":"success"\} in the log within 200 ms, found none in 0 lines$/,
        ),
        expect.stringContaining('curl'),
      ]);
      expect(ended.code).toBe(1);
    });

    it('fails when there is no such log', async () => {
      const nowhere = join(folder, 'nowhere.log');
      const ended = await smoke([current.url, ...args, '--logs', nowhere, '--logs-within', '0ms']);
      expect(failuresOf(ended)[1]).toContain('within 0 ms, found no such file');
      expect(ended.code).toBe(1);
    });

    const EXPECTED = { event: 'smoke_test_executed', service: 'petsage-api', status: 'success' };
    type Records = (requestId: string, key: string) => string[];

    it.each<[string, Records, string[]]>([
      [
        'has a secret',
        (requestId, key) => [JSON.stringify({ requestId, ...EXPECTED, key })],
        ['✗ Nothing secret in the log'],
      ],
      [
        'has a secret in a line that is not over',
        (requestId, key) => [JSON.stringify({ requestId, ...EXPECTED }), `rest ${key}`],
        ['✗ Nothing secret in the log'],
      ],
      [
        'has a record that is no JSON',
        (requestId) => [`INFO ${requestId} smoke_test_executed`],
        ['✗ GET /v1/health/smoke-test'],
      ],
      [
        'has another record of that request alone',
        (requestId, key) => [JSON.stringify({ requestId, msg: 'Request cut off', key })],
        ['✗ GET /v1/health/smoke-test', '✗ Nothing secret in the log'],
      ],
      [
        'has the record twice',
        (requestId) => Array<string>(2).fill(JSON.stringify({ requestId, ...EXPECTED })),
        ['✗ GET /v1/health/smoke-test'],
      ],
    ])('fails when the log %s, and prints no secret', async (_, records, failures) => {
      const log = join(folder, `${servers.length}.log`);
      await writeFile(log, '');
      const answerAs = async (request: IncomingMessage, response: ServerResponse) => {
        const { headers, method = '', url = '' } = request;
        const requestId = String(headers['x-request-id']);
        if (method === 'GET' && url === '/v1/health/smoke-test') {
          const lines = records(requestId, String(headers['x-key']));
          // A line that is not over is the last one.
          await appendFile(log, lines.join('\n') + (lines.at(-1)?.startsWith('rest') ? '' : '\n'));
        }
        const answer = await fetch(current.url + url, { method });
        response.writeHead(answer.status, {
          'Content-Type': answer.headers.get('content-type') ?? '',
          'Cache-Control': 'no-store',
          'X-Request-Id': requestId,
        });
        response.end(await answer.text());
      };
      const url = await target((request, response) => void answerAs(request, response));
      const secret = ['--header', 'X-Key: hunter2-hunter2'];
      const include = ['--include', '/v1/health/smoke-test', '--logs-within', '300ms'];
      const ended = await smoke([url, ...include, '--logs', log, ...secret]);
      expect(failuresOf(ended).filter((line) => line.startsWith('✗'))).toEqual(failures);
      expect(ended.stdout).not.toContain('hunter2');
      expect(ended).toMatchObject({ code: 1, stderr: '' });
    });
  });

  it.each<[string, RequestListener, string]>([
    ['hangs', () => undefined, 'no answer within 1000 ms'],
    ['resets', ({ socket }) => socket.resetAndDestroy(), 'that the connection was broken off'],
    [
      'breaks off',
      ({ socket }, response) => {
        response.write('{', () => socket.destroy());
      },
      'that the connection was broken off',
    ],
    [
      'speaks no HTTP',
      ({ socket }) => socket.end('hello\r\n\r\n'),
      'found Parse Error: Expected HTTP',
    ],
    [
      'changes the protocol',
      ({ socket }) =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
      'found a change to another protocol',
    ],
    [
      'redirects',
      (_, response) => response.writeHead(301, { Location: 'https://a.example/' }).end(),
      'expected status 200, found 301 to https://a.example/',
    ],
  ])('comes to a verdict on a target that %s', async (_, listener, fault) => {
    const url = await target((request, response) => {
      if (request.url === '/system/info') response.writeHead(404).end();
      else listener(request, response);
    });
    const ended = await smoke([url, '--timeout', '1s']);
    expect(ended.stdout).toContain(fault);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  const getOf = (schema: unknown) => ({
    get: { responses: { 200: { content: { 'application/json': { schema } } } } },
  });
  const EVIL = '^(a+)+$';
  const tower = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => {
      const next = { $ref: `#/components/schemas/s${i + 1}` };
      return [`s${i}`, i < 39 ? { allOf: [next, next] } : { type: 'string' }];
    }),
  );

  it.each<[string, string, string]>([
    ['50 MB', ' '.repeat(50_000_000), 'found an answer of more than 4 MiB'],
    ['no JSON', '<html>', 'expected an OpenAPI 3.1 document, found no JSON: <html>'],
    ['another document', '{"swagger":"2.0"}', 'OpenAPI 3.1 document, found {"swagger":"2.0"}'],
    ['null', 'null', 'expected an OpenAPI 3.1 document, found null'],
    ['a broken document', documentOf({ '/': { get: 5 } }), 'OpenAPI 3.1 document, found TypeError'],
    ['no operations', documentOf({}), 'expected operations in the OpenAPI document, found none'],
    [
      'a path that leads to another host',
      documentOf({ '@127.0.0.1:9/': getOf({}) }),
      'expected a path that begins with /, found @127.0.0.1:9/',
    ],
    [
      'a path above',
      documentOf({ '/a/../b': getOf({}) }),
      'expected a path without . and .., found /a/../b',
    ],
    [
      'a mark that is none',
      documentOf({ '/': { delete: { 'x-smoke-test': 'false', responses: {} } } }),
      'expected x-smoke-test of DELETE / to be true, false or an object',
    ],
    [
      'a mark without an example',
      documentOf({
        '/{id}': {
          get: {
            'x-smoke-test': true,
            parameters: [{ in: 'path', name: 'id', required: true }],
            responses: {},
          },
        },
      }),
      'expected an example of each parameter that GET /{id} requires',
    ],
    [
      'a mark that cannot be used',
      documentOf({ '/': { get: { 'x-smoke-test': { echo: null }, responses: {} } } }),
      'expected an OpenAPI document that can be used, found TypeError',
    ],
    [
      'too many operations',
      documentOf(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`/${i}`, getOf({})]))),
      'expected at most 1000 operations, found 1001',
    ],
    [
      'a reference that leads nowhere',
      documentOf({ '/': getOf({ $ref: '#/nowhere' }) }),
      "expected a schema of the body that can be applied, found Error: can't resolve reference #/nowhere",
    ],
    [
      'a response that is elsewhere',
      documentOf(
        { '/': { get: { responses: { 200: { $ref: '#/components/responses/a' } } } } },
        { responses: { a: { content: { 'application/json': { schema: { type: 'number' } } } } } },
      ),
      'expected the body to be as documented, found that it must be number',
    ],
    [
      'a constant that does not come',
      documentOf({ '/': getOf({ type: 'string', const: 'ok' }) }),
      'expected the body to be as documented, found that it must be equal to constant: "ok"',
    ],
    [
      'a pattern without end',
      documentOf({ '/': getOf({ type: 'string', pattern: EVIL }) }),
      'found Error: Script execution timed out after 2000ms',
    ],
    [
      'a tower of schemas',
      documentOf({ '/': getOf({ $ref: '#/components/schemas/s0' }) }, { schemas: tower }),
      'found Error: Script execution timed out after 2000ms',
    ],
  ])('comes to a verdict on a target that sends %s', async (_, document, fault) => {
    const url = await target((request, response) => {
      if (request.url === '/system/info') response.statusCode = 404;
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('Cache-Control', 'no-store');
      response.setHeader('X-Request-Id', request.headers['x-request-id'] ?? '');
      response.end(request.url === '/openapi.json' ? document : `"${'a'.repeat(40)}!"`);
    });
    const ended = await smoke([url, '--concurrency', '1']);
    expect(ended.stdout).toContain(fault);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  it('fails where the 422 of a wrong body is not documented', async () => {
    const content = { 'application/json': { schema: {}, example: {} } };
    const post = { 'x-smoke-test': true, requestBody: { content }, responses: { 200: {} } };
    const url = await target((request, response) => {
      void text(request).then((body) => {
        if (request.url === '/system/info' || request.url?.startsWith('/unknown')) {
          response.statusCode = 404;
        } else if (body === '"no object"') response.statusCode = 422;
        response.setHeader('Content-Type', 'application/json');
        response.setHeader('Cache-Control', 'no-store');
        response.setHeader('X-Request-Id', request.headers['x-request-id'] ?? '');
        response.end(request.url === '/openapi.json' ? documentOf({ '/': { post } }) : '{}');
      });
    });
    const ended = await smoke([url, '--include', '/']);
    expect(failuresOf(ended).slice(0, 2)).toEqual([
      '✗ POST / with a wrong body',
      '    expected status 422 in the document, found none',
    ]);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  it('gives up on a target that answers nothing but its document', async () => {
    const paths = Array.from({ length: 1000 }, (_, i) => [`/${i}`, getOf({})] as const);
    const url = await target((request, response) => {
      if (request.url === '/system/info') response.writeHead(404).end();
      if (request.url !== '/openapi.json') return;
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('X-Request-Id', request.headers['x-request-id'] ?? '');
      response.end(documentOf(Object.fromEntries(paths)));
    });
    const ended = await smoke([url, '--timeout', '500ms', '--concurrency', '1']);
    expect(linesOf(ended).slice(-2)).toEqual([
      '✗ expected answers, found none to 5 requests',
      '1 passed, 5 failed in',
    ]);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  it('does not take the word of a target that closes each connection', async () => {
    const url = await target((request, response) => {
      void fetch(current.url + (request.url ?? '')).then(async (answer) => {
        response.writeHead(answer.status, { Connection: 'close' });
        response.end(await answer.text());
      });
    });
    const ended = await smoke([url, '--expect-revision', NEW]);
    expect(failuresOf(ended)).toEqual([
      '✗ GET /openapi.json',
      '    expected a connection that stays open, found that the target closes it: it cannot be told which version answered',
      `    curl -i '${url}/openapi.json'`,
    ]);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  it('judges what came, whatever headers it was given', async () => {
    const headers = ['--header', 'Accept: application/json', '--header', 'X-Canary: true'];
    const file = join(folder, 'headers');
    await writeFile(file, 'X-Status: status\nX-Message: message\n');
    const ended = await smoke([current.url, ...headers, '--header', `@${file}`]);
    expect(linesOf(ended).at(-1)).toBe(`${CHECKS.length} passed in`);
  });

  it.each<[code: number, args: () => string[], stderr: RegExp]>([
    [0, () => ['--help'], /^$/],
    [0, () => ['--version'], /^$/],
    [2, () => [], /^expected one URL, found none\n/],
    [
      2,
      () => ['http://cat:hun%ter2@a'],
      /^expected a URL with % as %25 in its user name and password\n/,
    ],
    [2, () => ['ftp://a'], /^expected a URL such as https:/],
    [2, () => [`${current.url}?a`], /^expected a URL without \? and #\n/],
    [2, () => [current.url, 'b'], /^expected one URL, found 2\n/],
    [2, () => [current.url, '--nope'], /^Unknown option '--nope'/],
    [
      2,
      () => [current.url, '--wait', 'long'],
      /^--wait: expected a time such as 90s, found long\n/,
    ],
    [
      2,
      () => [current.url, '--stable', '0'],
      /^--stable: expected a number from 1 to 1000, found 0\n/,
    ],
    [2, () => [current.url, '--header', 'secret'], /^--header: expected 'NAME: VALUE' or @FILE\n/],
    [2, () => [current.url, '--header', '@/nowhere'], /^--header: ENOENT/],
    [2, () => [current.url, '--junit', '/nowhere/a.xml'], /^ENOENT/],
    [2, () => [current.url, '--logs', '/'], /^$/],
    [2, () => [current.url, '--include', '/nope'], /^$/],
    [2, () => [current.url, '--include', '/system/info', '--logs', '-'], /^$/],
    [2, () => [current.url, '--expect-revision', 'abc'], /^--expect-revision: expected at least 7/],
    [
      2,
      () => [current.url, '--header', 'A: b', '--header', 'a: c'],
      /^--header: expected each name/,
    ],
    [
      2,
      () => [current.url, '--expect-revision', 'unknown'],
      /^--expect-revision: expected a commit/,
    ],
    [3, () => ['http://127.0.0.1:1'], /^$/],
    [3, () => ['http://nowhere.invalid', '--wait', '300ms'], /^$/],
    [4, () => [current.url, '--expect-version', '0.9.0'], /^$/],
  ])('ends with %i for %#', async (code, args, stderr) => {
    const ended = await smoke(args());
    expect(ended.stderr).toMatch(stderr);
    expect(ended.code).toBe(code);
  });
});
