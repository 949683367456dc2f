import { escapeXml } from './junit-report.js';
import { formatCounts, formatTarget, type ProbeResult, type Report } from './report.js';

/**
 * Formats a report as Markdown. All text of the target is in one HTML block, in which Markdown has no
 * effect, and in `<code>`, in which GitHub creates no links.
 */
export function formatJobSummary(report: Report): string {
  const { outcome, results, error, skipped, skippedWithoutCredentials } = report;
  const failed = results.filter(({ failures }) => failures.length > 0);
  const passed = results.filter(({ failures }) => failures.length === 0);
  return [
    `### ${outcome === 'passed' ? '✅' : '❌'} Smoke test: ${formatCounts(report)}\n`,
    `<p>${formatLines([formatTarget(report), ...(error === undefined ? [] : [error])])}</p>`,
    ...(failed.length > 0 ? [formatTable(failed)] : []),
    formatDetails(`${passed.length} passed`, formatTable(passed)),
    formatDetails(`${skipped.length} skipped: not known to be safe to call`, formatLines(skipped)),
    formatDetails(
      `${skippedWithoutCredentials.length} skipped: require credentials`,
      formatLines(skippedWithoutCredentials),
    ),
    '\n',
  ].join('\n');
}

function formatTable(results: ProbeResult[]): string {
  const rows = results.map(({ name, failures, durationMs, curl = '' }) => {
    const details = failures.length === 0 ? [] : [...failures, curl];
    return `<tr><td>${formatLines([name])}</td><td>${durationMs} ms</td><td>${formatLines(details)}</td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

function formatDetails(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>${content}</details>`;
}

function formatLines(lines: string[]): string {
  return lines.map((line) => `<code>${escapeXml(line)}</code>`).join('<br>');
}
