import { formatJobSummary } from './job-summary.js';
import type { Report } from './report.js';

const report: Report = {
  url: 'http://localhost:8000',
  outcome: 'passed',
  info: { version: '1.0.0', revision: 'abcdef0' },
  results: [{ name: 'GET /', failures: [], durationMs: 1, curl: 'curl /' }],
  skipped: [],
  skippedWithoutCredentials: [],
  startedAt: '2026-01-31T12:00:00.000Z',
  durationMs: 1234,
};

describe('formatJobSummary', () => {
  it('lists the probes that passed', () => {
    expect(formatJobSummary(report)).toBe(`### ✅ Smoke test: 1 passed in 1.23 s

<p><code>http://localhost:8000: version 1.0.0, revision abcdef0</code></p>
<details><summary>1 passed</summary><table><tr><td><code>GET /</code></td><td>1 ms</td><td></td></tr></table></details>
<details><summary>0 skipped: not known to be safe to call</summary></details>
<details><summary>0 skipped: require credentials</summary></details>

`);
  });

  it('lists failures with a command, skipped operations and the error, and escapes them', () => {
    const failed = {
      name: 'HEAD /<b>',
      failures: ['expected a, got </code> & @cat', 'expected b'],
      durationMs: 2,
      curl: "curl -I '/<b>'",
    };
    const summary = formatJobSummary({
      ...report,
      outcome: 'wrongVersion',
      info: { version: '<script>', revision: '**b**' },
      results: [...report.results, failed],
      skipped: ['POST /<i>', 'PUT /'],
      skippedWithoutCredentials: ['GET /<u>'],
      error: 'expected <c>',
    });
    expect(summary).toBe(`### ❌ Smoke test: 1 passed, 1 failed in 1.23 s

<p><code>http://localhost:8000: version &#60;script&#62;, revision **b**</code><br><code>expected &#60;c&#62;</code></p>
<table><tr><td><code>HEAD /&#60;b&#62;</code></td><td>2 ms</td><td><code>expected a, got &#60;/code&#62; &#38; @cat</code><br><code>expected b</code><br><code>curl -I '/&#60;b&#62;'</code></td></tr></table>
<details><summary>1 passed</summary><table><tr><td><code>GET /</code></td><td>1 ms</td><td></td></tr></table></details>
<details><summary>2 skipped: not known to be safe to call</summary><code>POST /&#60;i&#62;</code><br><code>PUT /</code></details>
<details><summary>1 skipped: require credentials</summary><code>GET /&#60;u&#62;</code></details>

`);
  });
});
