import { hostname } from 'node:os';
import type { Report, Result } from './report.js';

/** A report as JUnit XML: a test case for each check, and one for what ended the whole run. */
export function junitOf(report: Report): string {
  const { url, info, results, error, startedAt, durationMs } = report;
  const cases = results.map(caseOf);
  if (error !== undefined) {
    const failure = element('error', { message: error, type: 'run' });
    cases.push(element('testcase', { ...nameOf('run'), time: seconds(durationMs) }, failure));
  }
  const properties = Object.entries({ url, ...info }).map(([name, value]) =>
    element('property', { name, value }),
  );
  const suite = {
    ...{ id: 0, package: 'petsage-smoke', name: url, hostname: hostname() },
    timestamp: startedAt.replace(/\..*/, ''),
    tests: cases.length,
    failures: results.filter(({ faults }) => faults.length > 0).length,
    errors: error === undefined ? 0 : 1,
    time: seconds(durationMs),
  };
  const parts = [
    element('properties', {}, ...properties),
    ...cases,
    element('system-out', {}, ''),
    element('system-err', {}, ''),
  ];
  const content = element('testsuite', suite, ...parts);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', {}, content)}\n`;
}

function caseOf({ name, faults, durationMs, curl = '' }: Result): string {
  const attributes = { ...nameOf(name), time: seconds(durationMs) };
  const [message] = faults;
  if (message === undefined) return element('testcase', attributes);
  const text = escape([...faults, curl].join('\n'));
  return element('testcase', attributes, element('failure', { message, type: 'check' }, text));
}

function nameOf(name: string) {
  return { name, classname: 'petsage-smoke' };
}

function element(
  name: string,
  attributes: Record<string, string | number> = {},
  ...content: string[]
): string {
  const pairs = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${escape(String(value))}"`,
  );
  return `<${name}${pairs.join('')}>${content.join('')}</${name}>`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** For text and attributes; what XML 1.0 cannot hold becomes a replacement character. */
function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"\n]/g, (character) => `&#${character.charCodeAt(0)};`);
}
