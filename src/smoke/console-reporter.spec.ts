import { PassThrough } from 'node:stream';
import { ConsoleReporter } from './console-reporter.js';
import type { Report } from './runner.js';

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
  startedAt: '2026-01-31T12:00:00.000Z',
  durationMs: 1234,
};

/** Returns what a reporter prints. */
function print(use: (reporter: ConsoleReporter) => void, isTTY = false): string {
  const out = Object.assign(new PassThrough(), { isTTY });
  use(new ConsoleReporter(out));
  return String(out.read());
}

describe('ConsoleReporter', () => {
  it('prints what a run waits for, once for each reason and every 10 seconds', () => {
    const printed = print((reporter) => {
      const { url } = report;
      reporter.printWaiting(url, 'expected a', 29_500);
      reporter.printWaiting(url, 'expected a', 19_600);
      reporter.printWaiting(url, 'expected a', 19_500);
      reporter.printWaiting(url, 'expected a', 9_501);
      reporter.printWaiting(url, 'expected b', 9_000);
    });
    expect(printed.trimEnd().split('\n')).toEqual([
      'Waiting for http://localhost:8000 (30 s left): expected a',
      'Waiting for http://localhost:8000 (20 s left): expected a',
      'Waiting for http://localhost:8000 (9 s left): expected b',
    ]);
  });

  it('prints the target and its version', () => {
    const info = { version: '1.0.0', revision: 'abcdef0' };
    expect(
      print((reporter) => {
        reporter.printTarget({ ...report, info });
      }),
    ).toBe('http://localhost:8000: version 1.0.0, revision abcdef0\n');
    expect(
      print((reporter) => {
        reporter.printTarget(report);
      }),
    ).toBe('http://localhost:8000\n');
  });

  it('prints a result', () => {
    expect(
      print((reporter) => {
        reporter.printResult(passed);
      }),
    ).toBe('✓ GET / 1 ms\n');
  });

  it('prints a failed result with its failures and a command', () => {
    expect(
      print((reporter) => {
        reporter.printResult(failed);
      }),
    ).toBe('✗ HEAD / 2 ms\n    expected a\n    expected b\n    curl -I /\n');
  });

  it('prints a summary', () => {
    const results = [passed, failed];
    const printed = print((reporter) => {
      reporter.printSummary({ ...report, results, skipped: ['POST /pets'], error: 'expected c' });
    });
    expect(printed).toBe(
      '- POST /pets skipped: not known to be safe to call\n✗ expected c\n1 passed, 1 failed in 1.23 s\n',
    );
  });

  describe('on a terminal', () => {
    const GREEN = '\x1b[32m';
    const RED = '\x1b[31m';

    it('prints the summary of a run that passed in green', () => {
      const printed = print((reporter) => {
        reporter.printResult(passed);
        reporter.printSummary({ ...report, results: [passed] });
      }, true);
      expect(printed).toContain(`${GREEN}1 passed`);
      expect(printed).not.toContain(RED);
    });

    it.each<[string, Partial<Report>]>([
      ['a failed probe', { outcome: 'failed', results: [passed, failed] }],
      ['an error', { outcome: 'wrongVersion', results: [passed], error: 'expected a' }],
    ])('prints nothing in green after %s', (_, part) => {
      const printed = print((reporter) => {
        for (const result of part.results ?? []) reporter.printResult(result);
        reporter.printSummary({ ...report, ...part });
      }, true);
      expect(printed).toContain(`${RED}✗`);
      expect(printed).toContain(`${RED}1 passed`);
      expect(printed).not.toContain(GREEN);
    });
  });
});
