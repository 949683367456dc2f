import { hostname } from 'node:os';
import type { Report } from './report.js';

/**
 * Formats a report as JUnit XML, with a test case for each probe. When a run ends early, the test
 * case `run` has the reason.
 */
export function formatJUnitReport(report: Report): string {
  const { url, info, results, error, startedAt, durationMs } = report;
  const cases = results.map((result) => {
    const [message] = result.failures;
    const text = [...result.failures, result.curl ?? ''].join('\n');
    const content =
      message === undefined
        ? ''
        : `<failure message="${escapeXml(message)}" type="probe">${escapeXml(text)}</failure>`;
    return formatCase(result.name, result.durationMs, content);
  });
  if (error !== undefined) {
    cases.push(formatCase('run', durationMs, `<error message="${escapeXml(error)}" type="run"/>`));
  }
  const properties = Object.entries({ url, ...info }).map(
    ([name, value]) => `<property name="${name}" value="${escapeXml(value)}"/>`,
  );
  const attributes = [
    'id="0"',
    'package="petsage-smoke"',
    `name="${escapeXml(url)}"`,
    `hostname="${escapeXml(hostname())}"`,
    `timestamp="${startedAt.slice(0, '2026-01-31T12:00:00'.length)}"`,
    `tests="${cases.length}"`,
    `failures="${results.filter(({ failures }) => failures.length > 0).length}"`,
    `errors="${error === undefined ? 0 : 1}"`,
    `time="${formatSeconds(durationMs)}"`,
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
<testsuite ${attributes.join(' ')}>
<properties>${properties.join('')}</properties>
${cases.join('\n')}
<system-out></system-out>
<system-err></system-err>
</testsuite>
</testsuites>
`;
}

function formatCase(name: string, durationMs: number, content: string): string {
  const time = formatSeconds(durationMs);
  return `<testcase name="${escapeXml(name)}" classname="petsage-smoke" time="${time}">${content}</testcase>`;
}

function formatSeconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
