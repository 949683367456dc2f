import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { parse } from 'yaml';
import { AuthModule } from '../src/platform/auth/auth.module.js';
import { JobsModule } from '../src/platform/jobs/jobs.module.js';
import { createTestApp } from './fixtures/app.js';

const FOLDER = 'deploy/kubernetes/monitoring';
const ALERT_TESTS = 'test/fixtures/alerts.yaml';

interface Rule {
  alert: string;
  expr: string;
}

interface RuleFile {
  groups: { rules: Rule[] }[];
}

let ruleFile: RuleFile;
let alerts: Rule[];
let queries: string[];
let exposed: Set<string>;

/** Metrics of Prometheus itself. */
const PROMETHEUS_METRICS = ['up'];

beforeAll(async () => {
  const manifest = await readFile(`${FOLDER}/prometheus-rule.yaml`, 'utf8');
  ruleFile = (parse(manifest) as { spec: RuleFile }).spec;
  alerts = ruleFile.groups.flatMap(({ rules }) => rules);
  const dashboard = JSON.parse(await readFile(`${FOLDER}/dashboard.json`, 'utf8')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  exposed = await readExposedMetrics();
});

/** Finds the names of metrics in a PromQL expression. */
function findMetrics(expr: string): string[] {
  const withoutLabels = expr.replace(/\{[^}]*\}|\[[^\]]*\]|\b(by|on) \([^)]*\)/g, '');
  const names = withoutLabels.match(/\b[a-z]\w*(?!\w|\s*\()/g) ?? [];
  return names.filter((name) => !['and', 'or'].includes(name));
}

async function readExposedMetrics(): Promise<Set<string>> {
  const { app } = await createTestApp({ features: [AuthModule, JobsModule] });
  const { text } = await request(app.getHttpServer()).get('/metrics').expect(200);
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

/** Runs promtool in a folder with the rules and their tests. */
async function runPromtool(args: string[], rules: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'petsage-alerts-'));
  await writeFile(join(folder, 'rules.yaml'), JSON.stringify(rules));
  await copyFile(ALERT_TESTS, join(folder, 'alerts.yaml'));
  try {
    return execFileSync('promtool', args, { cwd: folder, stdio: 'pipe', encoding: 'utf8' });
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('monitoring', () => {
  it('queries only metrics that the service exposes', () => {
    const metrics = [...alerts.map(({ expr }) => expr), ...queries].flatMap((expr) => {
      const found = findMetrics(expr);
      expect(found).not.toEqual([]);
      return found;
    });
    const unknown = metrics.filter(
      (name) => !exposed.has(name) && !PROMETHEUS_METRICS.includes(name),
    );
    expect(unknown).toEqual([]);
  });

  it('shows every metric of its own in the dashboard', () => {
    const shown = queries.flatMap(findMetrics).map((name) => name.replace(/_(bucket|count)$/, ''));
    const own = [...exposed].filter((name) => /^(petsage|http)_/.test(name));
    const missing = own.filter((name) => !shown.includes(name.replace(/_(bucket|sum|count)$/, '')));
    expect(missing).toEqual([]);
  });

  it('documents every alert', async () => {
    const operations = await readFile('docs/operations.md', 'utf8');
    const documented = [...operations.matchAll(/^\| `(PetSage\w+)` /gm)].map(([, name]) => name);
    expect(documented).toEqual(alerts.map(({ alert }) => alert));
  });

  it('tests that every alert fires, and that it does not fire without its fault', async () => {
    const { tests } = parse(await readFile(ALERT_TESTS, 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    // The tests of each case end with the final state.
    const finals = tests.map(({ alert_rule_test }) => alert_rule_test.at(-1));
    const findAlerts = (isFiring: boolean) =>
      new Set(
        finals
          .filter((test) => (test?.exp_alerts.length ?? 0) > 0 === isFiring)
          .map((test) => test?.alertname),
      );
    const names = new Set(alerts.map(({ alert }) => alert));
    expect(findAlerts(true)).toEqual(names);
    expect(findAlerts(false)).toEqual(names);
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

  // Requires promtool.
  (hasPromtool ? describe : describe.skip)('promtool', () => {
    it('accepts the alerts', async () => {
      const output = await runPromtool(['check', 'rules', 'rules.yaml'], ruleFile);
      expect(output).toContain(`SUCCESS: ${alerts.length} rules found`);
    });

    it('passes the tests of the alerts', async () => {
      const output = await runPromtool(['test', 'rules', 'alerts.yaml'], ruleFile);
      expect(output).toContain('SUCCESS');
    });

    it('accepts the queries of the dashboard', async () => {
      const rules = queries.map((expr, index) => ({
        record: `query_${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m'),
      }));
      const dashboard = { groups: [{ name: 'dashboard', rules }] };
      const output = await runPromtool(['check', 'rules', 'rules.yaml'], dashboard);
      expect(output).toContain(`SUCCESS: ${queries.length} rules found`);
    });
  });
});
