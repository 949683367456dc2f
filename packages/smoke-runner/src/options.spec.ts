import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { parseOptions } from './options.js';

const URL = 'http://localhost:8000';
const CERTIFICATE = readFileSync('test/fixtures/tls/cert.pem', 'utf8');

describe('parseOptions', () => {
  it('has defaults', () => {
    expect(parseOptions([URL])).toEqual({
      url: URL,
      headers: [],
      stable: 3,
      waitMs: 0,
      timeoutMs: 10_000,
      maxResponseTimeMs: Infinity,
      concurrency: 4,
      include: [],
      exclude: [],
      logsWithinMs: 10_000,
      json: false,
    });
  });

  it('reads every option', () => {
    const args =
      '--expect-version 1.0.0 --expect-revision abcdef0 --stable 1 --wait 1.5m --document api.json --include A --include B --exclude C --cacert test/fixtures/tls/cert.pem --timeout 200ms --max-response-time 0.5s --concurrency 8 --logs - --logs-within 3s --junit a.xml --summary a.md --json';
    expect(parseOptions([...args.split(' '), URL])).toEqual({
      url: URL,
      headers: [],
      expectVersion: '1.0.0',
      expectRevision: 'abcdef0',
      stable: 1,
      waitMs: 90_000,
      cacert: 'test/fixtures/tls/cert.pem',
      ca: [...rootCertificates, CERTIFICATE],
      timeoutMs: 200,
      maxResponseTimeMs: 500,
      concurrency: 8,
      document: 'api.json',
      include: ['A', 'B'],
      exclude: ['C'],
      logs: '-',
      logsWithinMs: 3000,
      junit: 'a.xml',
      summary: 'a.md',
      json: true,
    });
  });

  it.each([
    ['localhost:8000', 'http://localhost:8000', []],
    ['example.com/api', 'http://example.com/api', []],
    ['https://example.com/', 'https://example.com', []],
    ['https://example.com/api//', 'https://example.com/api', []],
    ['http://cat:a%3Ab@[::1]:80/', 'http://[::1]', [['Authorization', 'Basic Y2F0OmE6Yg==']]],
    ['http://cat:100%@a', 'http://a', [['Authorization', 'Basic Y2F0OjEwMCU=']]],
  ])('reads the URL %s', (target, url, headers) => {
    expect(parseOptions([target])).toMatchObject({ url, headers });
  });

  it('reads a token from the environment', () => {
    const headers = [['Authorization', 'Bearer a.b.c']];
    expect(parseOptions([URL], { SMOKE_TOKEN: 'a.b.c' })).toMatchObject({ headers });
    expect(parseOptions([URL], { SMOKE_TOKEN: '' })).toMatchObject({ headers: [] });
    expect(() => parseOptions([URL], { SMOKE_TOKEN: 'a b' })).toThrow(
      'SMOKE_TOKEN is invalid. Use a bearer token.',
    );
  });

  it('reads headers from arguments and files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
    const file = join(folder, 'headers');
    await writeFile(file, 'X-B: b:c\r\n\nX-C: d\n');
    expect(parseOptions([URL, '-H', 'X-A:  a b ', '-H', `@${file}`])).toMatchObject({
      headers: [
        ['X-A', 'a b'],
        ['X-B', 'b:c'],
        ['X-C', 'd'],
      ],
    });
    await rm(folder, { recursive: true });
  });

  it('reads several certificates from a file with other text', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
    const file = join(folder, 'ca.pem');
    await writeFile(file, `# A\n${CERTIFICATE}# B\n${CERTIFICATE}`);
    const ca = [...rootCertificates, CERTIFICATE, CERTIFICATE];
    expect(parseOptions([URL, '--cacert', file])).toMatchObject({ ca });
    await rm(folder, { recursive: true });
  });

  it.each([
    ['is empty', ''],
    ['contains a key only', readFileSync('test/fixtures/tls/key.pem', 'utf8')],
    ['ends within its second certificate', CERTIFICATE + CERTIFICATE.slice(0, -100)],
    ['contains a damaged certificate', CERTIFICATE.replace('MII', 'AAA')],
  ])('rejects a --cacert file that %s', async (_, content) => {
    const folder = await mkdtemp(join(tmpdir(), 'petsage-smoke-'));
    const file = join(folder, 'ca.pem');
    await writeFile(file, content);
    expect(() => parseOptions([URL, '--cacert', file])).toThrow(
      `--cacert ${file} is invalid. Use PEM certificates.`,
    );
    await rm(folder, { recursive: true });
  });

  it.each<[string[], string]>([
    [[], 'Expected one URL, got 0.'],
    [[URL, URL], 'Expected one URL, got 2.'],
    [['http://'], 'The URL is invalid. Use one such as https://example.com.'],
    [['localhost:port'], 'The URL is invalid. Use one such as https://example.com.'],
    [['ftp://a'], 'The URL is invalid. Use one such as https://example.com.'],
    [[`${URL}?a`], 'The URL has a query or a fragment. Remove it.'],
    [[`${URL}#a`], 'The URL has a query or a fragment. Remove it.'],
    [[URL, '--nope'], "Unknown option '--nope'"],
    [[URL, '--wait', 'long'], '--wait long is invalid. Use a duration such as 90s.'],
    [[URL, '--timeout', '50d'], '--timeout 50d is invalid. Use a duration such as 90s.'],
    [[URL, '--wait', '99999m'], '--wait 99999m is invalid. Use a duration such as 90s.'],
    [
      [URL, '--max-response-time', '500'],
      '--max-response-time 500 is invalid. Use a duration such as 90s.',
    ],
    [[URL, '--stable', '0'], '--stable 0 is invalid. Use a number from 1 to 1000.'],
    [[URL, '--concurrency', 'x'], '--concurrency x is invalid. Use a number from 1 to 1000.'],
    [
      [URL, '--expect-revision', 'abc'],
      '--expect-revision abc is invalid. Use at least 7 characters of a commit.',
    ],
    [
      [URL, '--expect-revision', 'unknown'],
      '--expect-revision unknown is invalid. Use at least 7 characters of a commit.',
    ],
    [[URL, '-H', '@/nowhere'], 'ENOENT'],
    [[URL, '--cacert', '/nowhere'], "ENOENT: no such file or directory, open '/nowhere'"],
  ])('rejects %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });

  it.each([
    'hunter2',
    'X-Key:',
    'X-Key: ',
    'X Key: hunter2',
    'X-Key: hunter2\nX-B: b',
    'X-Key: 🔑',
  ])('rejects the header %j without quoting it', (header) => {
    expect(() => parseOptions([URL, '--header', header])).toThrow(
      /^--header is invalid\. Use 'NAME: VALUE' or @FILE\.$/,
    );
  });

  it.each([
    ['--help', 'help'],
    ['-h', 'help'],
    ['--version', 'version'],
    ['-v', 'version'],
  ])('reads %s without a URL', (option, result) => {
    expect(parseOptions([option])).toBe(result);
  });
});
