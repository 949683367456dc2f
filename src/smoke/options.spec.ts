import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseOptions } from './options.js';

const URL = 'http://localhost:8000';

describe('parseOptions', () => {
  it('has defaults', () => {
    expect(parseOptions([URL])).toEqual({
      url: URL,
      headers: [],
      stable: 3,
      waitMs: 0,
      timeoutMs: 10_000,
      concurrency: 4,
      include: [],
      exclude: [],
      logsWithinMs: 10_000,
      json: false,
    });
  });

  it('reads every option', () => {
    const args =
      '--expect-version 1.0.0 --expect-revision abcdef0 --stable 1 --wait 1.5m --include A --include B --exclude C --timeout 200ms --concurrency 8 --logs - --logs-within 3s --junit a.xml --json';
    expect(parseOptions([...args.split(' '), URL])).toEqual({
      url: URL,
      headers: [],
      expectVersion: '1.0.0',
      expectRevision: 'abcdef0',
      stable: 1,
      waitMs: 90_000,
      timeoutMs: 200,
      concurrency: 8,
      include: ['A', 'B'],
      exclude: ['C'],
      logs: '-',
      logsWithinMs: 3000,
      junit: 'a.xml',
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
