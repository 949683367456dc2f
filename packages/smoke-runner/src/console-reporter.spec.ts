import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { ConsoleReporter } from './console-reporter.js';
import type { Report } from './report.js';

const passed = { name: 'GET /', failures: [], durationMs: 1, curl: 'curl /' };
const failed = {
  name: 'HEAD /',
  failures: ['expected a', 'expected b'],
  durationMs: 2,
  curl: 'curl -I /',
};
const report: Report = {
  url: 'http://localhost:8000',
  outcome: 'passed',
  results: [],
  skipped: [],
  skippedWithoutCredentials: [],
  startedAt: '2026-01-31T12:00:00.000Z',
  durationMs: 1234,
};

/** Returns what a reporter prints. */
function print(use: (reporter: ConsoleReporter) => void, isTTY = false): Promise<string> {
  const out = Object.assign(new PassThrough(), { isTTY });
  use(new ConsoleReporter(out));
  out.end();
  return text(out);
}

/** Returns the lines that a reporter prints, without the colors that Jest forces on a terminal. */
async function printLines(use: (reporter: ConsoleReporter) => void): Promise<string[]> {
  return stripVTControlCharacters(await print(use))
    .trimEnd()
    .split('\n');
}

describe('ConsoleReporter', () => {
  it('prints what a run waits for, once for each reason and every 10 seconds', async () => {
    const lines = await printLines((reporter) => {
      const { url } = report;
      reporter.printWaiting(url, 'expected a', 29_500);
      reporter.printWaiting(url, 'expected a', 19_600);
      reporter.printWaiting(url, 'expected a', 19_500);
      reporter.printWaiting(url, 'expected a', 9_501);
      reporter.printWaiting(url, 'expected b', 9_000);
    });
    expect(lines).toEqual([
      'Waiting for http://localhost:8000 (30 s left): expected a',
      'Waiting for http://localhost:8000 (20 s left): expected a',
      'Waiting for http://localhost:8000 (9 s left): expected b',
    ]);
  });

  it('prints the target, and its version when it is known', async () => {
    const info = { version: '1.0.0', revision: 'abcdef0' };
    const lines = await printLines((reporter) => {
      reporter.printTarget(report);
      reporter.printTarget({ ...report, info });
    });
    expect(lines).toEqual([
      'http://localhost:8000',
      'http://localhost:8000: version 1.0.0, revision abcdef0',
    ]);
  });

  it('prints the failures of a result, and a command', async () => {
    const lines = await printLines((reporter) => {
      reporter.printResult(passed);
      reporter.printResult(failed);
    });
    expect(lines).toEqual([
      '✓ GET / 1 ms',
      '✗ HEAD / 2 ms',
      '    expected a',
      '    expected b',
      '    curl -I /',
    ]);
  });

  it('prints a summary', async () => {
    const results = [passed, failed];
    const lines = await printLines((reporter) => {
      reporter.printSummary({
        ...report,
        results,
        skipped: ['POST /pets'],
        skippedWithoutCredentials: ['GET /pets'],
        error: 'expected c',
      });
    });
    expect(lines).toEqual([
      '- POST /pets skipped: not known to be safe to call',
      '- GET /pets skipped: requires credentials',
      '1 skipped because they require credentials. Set SMOKE_TOKEN or --header.',
      '✗ expected c',
      '1 passed, 1 failed in 1.23 s',
    ]);
  });

  describe('on a terminal', () => {
    const GREEN = '\x1b[32m';
    const RED = '\x1b[31m';

    it('prints the summary of a run that passed in green', async () => {
      const printed = await print((reporter) => {
        reporter.printResult(passed);
        reporter.printSummary({ ...report, results: [passed] });
      }, true);
      expect(printed).toContain(`${GREEN}1 passed`);
      expect(printed).not.toContain(RED);
    });

    it.each<[string, Partial<Report>]>([
      ['a failed probe', { outcome: 'failed', results: [passed, failed] }],
      ['an error', { outcome: 'wrongVersion', results: [passed], error: 'expected a' }],
    ])('prints nothing in green after %s', async (_, part) => {
      const printed = await print((reporter) => {
        for (const result of part.results ?? []) reporter.printResult(result);
        reporter.printSummary({ ...report, ...part });
      }, true);
      expect(printed).toContain(`${RED}✗`);
      expect(printed).toContain(`${RED}1 passed`);
      expect(printed).not.toContain(GREEN);
    });
  });
});
