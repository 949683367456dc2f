// npm run check:deploy: renders the Kubernetes manifests with kubectl, validates them against the schemas of
// Kubernetes, and checks that they match each other and the API. `npm run test:image` tests the image.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { getMetadataStorage } from 'class-validator';
import { parse, parseAllDocuments } from 'yaml';

const PROJECT = join(import.meta.dirname, '..');

// The types come from the sources, because the type check runs without a build.
/** @type {typeof import('../src/platform/settings/settings.js')} */
const { Settings } = await import(join(PROJECT, 'dist/platform/settings/settings.js'));
/** @type {typeof import('../src/platform/auth/auth.settings.js')} */
const { AuthSettings } = await import(join(PROJECT, 'dist/platform/auth/auth.settings.js'));
/** @type {typeof import('../src/platform/database/database.settings.js')} */
const { DatabaseSettings } = await import(
  join(PROJECT, 'dist/platform/database/database.settings.js')
);
/** @type {typeof import('../src/platform/jobs/jobs.settings.js')} */
const { JobsSettings } = await import(join(PROJECT, 'dist/platform/jobs/jobs.settings.js'));
/** @type {typeof import('../src/platform/settings/parse-settings.js')} */
const { parseSettings } = await import(join(PROJECT, 'dist/platform/settings/parse-settings.js'));

/** @type {typeof import('../src/platform/features/discovery.js')} */
const { discoverFeatures } = await import(join(PROJECT, 'dist/platform/features/discovery.js'));
/** @type {typeof import('../src/platform/features/settings-classes.js')} */
const { findSettingsClasses } = await import(
  join(PROJECT, 'dist/platform/features/settings-classes.js')
);

const features = await discoverFeatures(pathToFileURL(join(PROJECT, 'dist/features/')));
const settingsClasses = await findSettingsClasses(features);

/** The words of the features, to find the names of the environment variables that they read. */
const featureWords = readWords(join(PROJECT, 'src/features'));

const manifests = ['', 'smoke-test', 'monitoring'].flatMap(render);
const withComponents = renderWith(['authentication', 'database', 'jobs']);
for (const manifest of [...manifests, ...withComponents]) await validate(manifest);
checkTypes([...manifests, ...withComponents]);
for (const { kind, spec } of manifests) {
  // The API server drops empty lists and null, so each `kubectl apply` would report a change.
  assert(!/:(\[\]|null)/.test(JSON.stringify(spec)), `${kind}: expected no empty list or null`);
}

/**
 * @param {string} kind
 * @param {string} [name]
 * @param {any[]} [candidates]
 */
const find = (kind, name, candidates = manifests) => {
  const manifest = candidates.find(
    (candidate) =>
      candidate.kind === kind && candidate.metadata.name === (name ?? candidate.metadata.name),
  );
  assert(manifest, `expected a ${kind} ${name ?? ''}`);
  return manifest;
};
const deployment = find('Deployment').spec;
const pod = deployment.template;
const [container] = pod.spec.containers;
const job = find('Job', 'petsage-api-smoke-test').spec.template.spec;
for (const { kind, spec } of [...manifests, ...withComponents]) {
  const { initContainers = [], containers = [] } = spec?.template?.spec ?? {};
  for (const each of [...initContainers, ...containers]) {
    // The containers of other images, such as sidecars, have other variables.
    if (each.image === container.image) checkVariables(`${kind} ${each.name}`, each);
  }
}
checkRequiredSettings(container);
/** @param {string} name */
const getSetting = (name) => {
  const found = container.env.find(
    (/** @type {{ name: string }} */ variable) => variable.name === name,
  );
  return Number(found?.value);
};
assert.equal(job.containers[0].image, container.image);
assert.deepEqual(job.securityContext, pod.spec.securityContext);
const [http, management] = container.ports;
assert.equal(getSetting('PORT'), http.containerPort);
assert.equal(getSetting('MANAGEMENT_PORT'), management.containerPort);
// As docs/operations.md says: 5 seconds each for features and the log, and 5 spare seconds.
const drainMs = getSetting('SHUTDOWN_DELAY_MS') + getSetting('SHUTDOWN_TIMEOUT_MS') + 15_000;
assert(
  pod.spec.terminationGracePeriodSeconds * 1000 >= drainMs,
  'terminationGracePeriodSeconds is too short',
);
const { paths } = JSON.parse(readFileSync(join(PROJECT, 'openapi.json'), 'utf8'));
for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
  const { path, port } = container[name].httpGet;
  assert(paths[path]?.get, `${name}: expected a path of the API, found ${path}`);
  assert.equal(port, management.name);
}
const { labels } = pod.metadata;
for (const kind of ['Service', 'PodDisruptionBudget', 'NetworkPolicy', 'ServiceMonitor']) {
  const { selector, podSelector = selector } = find(kind).spec;
  const selectorLabels = podSelector.matchLabels ?? podSelector;
  const selectedLabels = kind === 'ServiceMonitor' ? find('Service').metadata.labels : labels;
  for (const [name, value] of Object.entries(selectorLabels))
    assert.equal(selectedLabels[name], value, kind);
}
assert.deepEqual(deployment.selector.matchLabels, labels);
const services = manifests.filter(({ kind }) => kind === 'Service');
assert.deepEqual(
  services.map(({ metadata, spec }) => [
    metadata.name,
    spec.ports.map((/** @type {any} */ { targetPort }) => targetPort),
  ]),
  [
    ['petsage-api', [http.name]],
    ['petsage-api-metrics', [management.name]],
  ],
);
const { endpoints, jobLabel } = find('ServiceMonitor').spec;
assert.equal(endpoints[0].port, services[1].spec.ports[0].name);
assert.equal(services[1].metadata.labels[jobLabel], 'petsage-api');
const rules = find('NetworkPolicy', 'petsage-api').spec.ingress;
/** @param {string} name */
const findSources = (name) =>
  rules
    .filter((/** @type {any} */ rule) =>
      rule.ports.some((/** @type {any} */ { port }) => port === name),
    )
    .map((/** @type {any} */ rule) => rule.from);
assert.deepEqual(findSources(http.name), [undefined], 'expected http to be open to all');
assert.deepEqual(
  findSources(management.name),
  [[{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }]],
  'expected management to be open to the namespace monitoring only',
);
assert.equal(
  find('HorizontalPodAutoscaler').spec.scaleTargetRef.name,
  find('Deployment').metadata.name,
);
const { bin } = JSON.parse(
  readFileSync(join(PROJECT, 'packages/smoke-runner/package.json'), 'utf8'),
);
assert.equal(job.containers[0].command[1], join('packages/smoke-runner', bin['petsage-smoke']));
// Such as --expect-revision=4f2a9c1: a separate argument of digits would be a number in YAML.
assert(job.containers[0].command.includes('--expect-revision=revision-to-expect'));
assert.equal(job.containers[0].command.at(-1), `http://${find('Service').metadata.name}`);
checkDatabase();
checkJobs();
console.log(`${manifests.length} manifests are valid and match each other and the API`);

/** Asserts that the Job of the component `database` matches the Deployment. */
function checkDatabase() {
  const name = 'petsage-api-migrate';
  const { metadata, spec } = find('Job', name, withComponents).spec.template;
  const [migrate] = spec.containers;
  assert.equal(migrate.image, container.image);
  assert.deepEqual(spec.securityContext, pod.spec.securityContext);
  assert.deepEqual(migrate.securityContext, container.securityContext);
  assert.deepEqual(migrate.command, ['node', 'dist/migrate.js']);
  assert(existsSync(join(PROJECT, migrate.command[1])));
  // Otherwise the Service would send requests to it.
  assert.deepEqual(metadata.labels, { 'app.kubernetes.io/name': name });
  const { values } = find('NetworkPolicy', 'petsage-api-database', withComponents).spec.podSelector
    .matchExpressions[0];
  assert.deepEqual(values, [labels['app.kubernetes.io/name'], name]);
  const service = find('Deployment', 'petsage-api', withComponents).spec.template.spec;
  const [url, migrateUrl] = [service.containers[0], migrate].map(({ env }) =>
    env.find((/** @type {{ name: string }} */ variable) => variable.name === 'DATABASE_URL'),
  );
  assert(url);
  assert.deepEqual(migrateUrl, url);
}

/** Asserts that the CronJob of the component `jobs` matches the Deployment, which runs no jobs. */
function checkJobs() {
  const { metadata, spec } = find('CronJob', undefined, withComponents).spec.jobTemplate.spec
    .template;
  const [cronJob] = spec.containers;
  checkVariables('CronJob', cronJob);
  assert.equal(cronJob.image, container.image);
  assert.deepEqual(spec.securityContext, pod.spec.securityContext);
  assert.deepEqual(cronJob.securityContext, container.securityContext);
  assert(existsSync(join(PROJECT, cronJob.command[1])));
  // Otherwise the Service would send requests to it.
  assert.deepEqual(metadata.labels, { 'app.kubernetes.io/name': 'petsage-api-job' });
  const policy = find('NetworkPolicy', 'petsage-api-job', withComponents).spec;
  assert.deepEqual(policy.podSelector.matchLabels, metadata.labels);
  const { egress } = find('NetworkPolicy', 'petsage-api-database', withComponents).spec;
  assert.deepEqual(policy.egress, egress);
  const service = find('Deployment', 'petsage-api', withComponents).spec.template.spec
    .containers[0];
  /** @type {(candidate: any, name: string) => object | undefined} */
  const findVariable = ({ env }, name) =>
    env.find((/** @type {{ name: string }} */ variable) => variable.name === name);
  assert.deepEqual(findVariable(service, 'JOBS'), { name: 'JOBS', value: 'false' });
  assert.deepEqual(findVariable(cronJob, 'DATABASE_URL'), findVariable(service, 'DATABASE_URL'));
}

/**
 * @param {string} folder
 * @returns {any[]}
 */
function render(folder) {
  const path = resolve(PROJECT, 'deploy/kubernetes', folder);
  const rendered = execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8' });
  return parseAllDocuments(rendered).map((document) => document.toJS());
}

/**
 * Renders the manifests of the service with components, as the documents say: in kustomization.yaml itself, whose images
 * apply to the components too.
 *
 * @param {string[]} components
 * @returns {any[]}
 */
function renderWith(components) {
  const folder = mkdtempSync(join(tmpdir(), 'petsage-components-'));
  const file = join(folder, 'kustomization.yaml');
  try {
    cpSync(join(PROJECT, 'deploy/kubernetes'), folder, { recursive: true });
    const kustomization = { ...parse(readFileSync(file, 'utf8')), components };
    writeFileSync(file, JSON.stringify(kustomization));
    return render(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {{ apiVersion: string, kind: string }} manifest */
function findModel({ apiVersion, kind }) {
  const isBuiltIn = !apiVersion.startsWith('monitoring.coreos.com/');
  const name = isBuiltIn ? 'kubernetes-models' : '@kubernetes-models/prometheus-operator';
  return { module: `${name}/${apiVersion}`, kind };
}

/** @param {any} manifest */
async function validate(manifest) {
  const { module, kind } = findModel(manifest);
  const { [kind]: Model } = await import(module);
  new Model(manifest).validate();
}

/**
 * Asserts that the environment variables of a container are settings of the service with a valid value,
 * unless Node.js, OpenTelemetry, the smoke runner, a feature, or the command of the container reads them.
 *
 * @param {string} title
 * @param {any} container
 */
function checkVariables(title, { env = [], command = [], args = [] }) {
  const argumentList = [...command, ...args].join('\n');
  /** @type {{ name: string, value?: string }[]} */
  const variables = env.filter(
    (/** @type {{ name: string }} */ { name }) =>
      !/^((NODE|OTEL)_|SMOKE_TOKEN$)/.test(name) && !argumentList.includes(`$(${name})`),
  );
  const rules = [Settings, AuthSettings, DatabaseSettings, JobsSettings].flatMap((type) =>
    getMetadataStorage().getTargetValidationMetadatas(type, '', false, false),
  );
  const settings = new Set(rules.map(({ propertyName }) => propertyName));
  for (const { name } of variables) {
    assert(
      settings.has(name) || featureWords.has(name),
      `${title}: expected a setting of the service or a name in src/features, found ${name}`,
    );
  }
  parseSettings(Object.fromEntries(variables.map(({ name, value }) => [name, value])), [
    AuthSettings,
    DatabaseSettings,
    JobsSettings,
  ]);
}

/**
 * Asserts that a container has every setting that features require.
 *
 * @param {{ env: { name: string, value?: string, valueFrom?: object }[] }} container
 */
function checkRequiredSettings({ env }) {
  const secrets = env.filter(({ valueFrom }) => valueFrom).map(({ name }) => name);
  // As in the image.
  const variables = {
    NODE_ENV: 'production',
    ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
  };
  try {
    parseSettings(variables, settingsClasses);
  } catch (error) {
    const { errors } = /** @type {AggregateError} */ (error);
    const messages = errors.map(({ message }) => message);
    // The values of Secrets and ConfigMaps are not known here.
    const unexpected = messages.filter(
      (message) => !secrets.some((name) => message.startsWith(`${name}: `)),
    );
    assert.deepEqual(
      unexpected,
      [],
      'Add the settings of the features to deployment.yaml, or their component to kustomization.yaml',
    );
  }
}

/**
 * Reads the words of the TypeScript files in a folder.
 *
 * @param {string} folder
 */
function readWords(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => file.endsWith('.ts'));
  return new Set(
    sources.flatMap((file) => readFileSync(join(folder, file), 'utf8').match(/\w+/g) ?? []),
  );
}

/**
 * Compiles the manifests as TypeScript: unlike the schemas, the types reject unknown fields.
 *
 * @param {any[]} manifests
 */
function checkTypes(manifests) {
  const lines = manifests.map((manifest, index) => {
    const { module, kind } = findModel(manifest);
    const type = `import('${module}').I${kind}`;
    return `export const manifest${index}: ${type} = ${JSON.stringify(manifest, null, 2)};\n`;
  });
  const work = mkdtempSync(join(tmpdir(), 'petsage-manifests-'));
  const file = join(work, 'manifests.ts');
  writeFileSync(file, lines.join('\n'));
  writeFileSync(join(work, 'package.json'), '{"type":"module"}');
  symlinkSync(join(PROJECT, 'node_modules'), join(work, 'node_modules'));
  const options = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
  ];
  const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, ...options, file], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  } finally {
    rmSync(work, { recursive: true });
  }
}
