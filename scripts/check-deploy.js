// npm run check:deploy: checks the Dockerfile and the Kubernetes manifests without a container engine
// and without a cluster. It runs the steps of the Dockerfile, each stage in an empty folder, starts the
// result as the image's user, runs the smoke test, and stops it. It renders the manifests with kubectl,
// validates them against the schemas of Kubernetes, and checks that they match the image and the API.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import dockerignore from '@balena/dockerignore';
import { parseAllDocuments } from 'yaml';

const PROJECT = join(import.meta.dirname, '..');

/** A commit that only the build argument contains. */
const REVISION = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';

/** @type {Record<string, string>} */
const BUILD_ARGS = { GIT_REVISION: REVISION };

const START_TIMEOUT_MS = 60_000;

/**
 * A stage of the Dockerfile. The last stage is the image.
 *
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} root folder that stands for the file system of the stage
 * @property {string} folder working directory, relative to `root`
 * @property {Record<string, string>} args
 * @property {Record<string, string>} env
 * @property {Record<string, string>} labels
 * @property {string[]} command
 * @property {string[]} healthcheck
 * @property {Record<string, string>} healthcheckOptions
 * @property {number} user
 * @property {number} port
 */

const work = mkdtempSync(join(tmpdir(), 'petsage-deploy-'));
// The image's user reads the files in it.
chmodSync(work, 0o755);
try {
  const image = build();
  await runImage(image);
  await checkManifests(image);
} finally {
  rmSync(work, { recursive: true });
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}

/** Runs the steps of the Dockerfile and returns the last stage. */
function build() {
  const context = copyContext();
  const steps = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  /** @type {Stage[]} the current stage is the first */
  const stages = [];
  for (const step of steps) {
    print(step);
    const [, keyword = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(step) ?? [];
    if (keyword === 'FROM') stages.unshift(startStage(rest));
    else runInstruction(keyword, rest, stages, context);
  }
  const [image] = stages;
  assert(image, 'Dockerfile: expected FROM');
  return image;
}

/** Copies the files that .dockerignore does not exclude, as `docker build` does. */
function copyContext() {
  const context = join(work, 'context');
  const ignore = dockerignore.default().add(readFileSync(join(PROJECT, '.dockerignore'), 'utf8'));
  const paths = readdirSync(PROJECT, { recursive: true, encoding: 'utf8' });
  for (const path of paths) {
    const from = join(PROJECT, path);
    if (path.startsWith('node_modules/') || ignore.ignores(path) || !statSync(from).isFile())
      continue;
    mkdirSync(dirname(join(context, path)), { recursive: true });
    copyFileSync(from, join(context, path));
  }
  return context;
}

/**
 * @param {string} from such as `node:24-slim AS build`
 * @returns {Stage}
 */
function startStage(from) {
  const [, version, , name = 'image'] = /^node:(\d+)-slim( AS (\w+))?$/.exec(from) ?? [];
  const [found] = process.versions.node.split('.');
  assert.equal(found, version, `Run this script on Node ${version}, the version of the image`);
  const root = join(work, name);
  // Every user may run Node there.
  mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
  return {
    ...{ name, root, folder: '/', args: {}, env: {}, labels: {} },
    ...{ command: [], healthcheck: [], healthcheckOptions: {}, user: 0, port: 0 },
  };
}

/**
 * @param {string} keyword
 * @param {string} rest
 * @param {Stage[]} stages
 * @param {string} context
 */
function runInstruction(keyword, rest, stages, context) {
  const [stage] = stages;
  assert(stage, 'Dockerfile: expected FROM first');
  const words = rest.split(/\s+/);
  if (keyword === 'WORKDIR') {
    stage.folder = rest;
    mkdirSync(join(stage.root, rest), { recursive: true });
  } else if (keyword === 'ARG') {
    const [name = '', value = ''] = rest.split('=');
    stage.args[name] = BUILD_ARGS[name] ?? value;
  } else if (keyword === 'ENV') {
    Object.assign(stage.env, parsePairs(rest, stage));
  } else if (keyword === 'LABEL') {
    Object.assign(stage.labels, parsePairs(rest, stage));
  } else if (keyword === 'COPY') {
    const [, , name, paths = ''] = /^(--from=(\w+)\s+)?(.*)$/.exec(rest) ?? [];
    const source =
      name === undefined ? context : stages.find((candidate) => candidate.name === name)?.root;
    assert(source, `Dockerfile: expected a stage ${name}`);
    copy(paths.split(/\s+/), source, stage);
  } else if (keyword === 'RUN') {
    execFileSync('sh', ['-c', rest], {
      cwd: join(stage.root, stage.folder),
      env: { ...process.env, ...stage.env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } else if (keyword === 'USER') {
    stage.user = Number(words[0]?.split(':')[0]);
  } else if (keyword === 'EXPOSE') {
    stage.port = Number(rest);
  } else if (keyword === 'HEALTHCHECK') {
    stage.healthcheck = JSON.parse(rest.slice(rest.indexOf('[')));
    for (const [, name = '', value = ''] of rest.matchAll(/--([\w-]+)=(\w+)/g))
      stage.healthcheckOptions[name] = value;
  } else if (keyword === 'CMD') {
    stage.command = JSON.parse(rest);
  } else {
    assert.fail(`Dockerfile: expected an instruction that this script supports, found ${keyword}`);
  }
}

/**
 * Parses the name-value pairs of ENV and LABEL.
 *
 * @param {string} text such as `a=1 b="2 ${c}"`, where `c` is a build argument of the stage
 * @param {Stage} stage
 */
function parsePairs(text, stage) {
  const pairs = [...text.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)].map(([, name = '', value = '']) => [
    name,
    value.replaceAll('"', '').replace(/\$\{(\w+)\}/g, (_, arg) => stage.args[arg] ?? ''),
  ]);
  return Object.fromEntries(pairs);
}

/**
 * @param {string[]} paths the sources, followed by the destination
 * @param {string} source folder that contains the sources
 * @param {Stage} stage
 */
function copy(paths, source, stage) {
  const target = paths.at(-1) ?? '';
  const destination = join(stage.root, target.startsWith('/') ? '' : stage.folder, target);
  for (const path of paths.slice(0, -1)) {
    const from = join(source, path);
    const isInto = target.endsWith('/') && statSync(from).isFile();
    cpSync(from, isInto ? join(destination, basename(path)) : destination, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
}

/** @param {Stage} image */
async function runImage(image) {
  const cwd = join(image.root, image.folder);
  assert.deepEqual(readdirSync(cwd).sort(), ['dist', 'node_modules', 'package.json']);
  const packages = readdirSync(join(cwd, 'node_modules'));
  assert(packages.includes('swagger-ui-dist') && !packages.includes('typescript'));
  assert(image.user > 0, 'Dockerfile: expected a USER that is not root');

  const { version } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
  assert.equal(image.labels['org.opencontainers.image.version'], version);
  assert.equal(image.labels['org.opencontainers.image.revision'], REVISION);

  const port = await findFreePort();
  const env = {
    ...image.env,
    PATH: join(image.root, 'usr/local/bin'),
    PORT: String(port),
    // Like a read-only root file system: Node rejects every write.
    NODE_OPTIONS: '--permission --allow-fs-read=*',
  };
  // Only root can start a process as another user.
  const identity = process.getuid?.() === 0 ? { uid: image.user, gid: image.user } : {};
  /** @param {string[]} command */
  const start = ([name = '', ...args]) =>
    spawn(join(image.root, 'usr/local/bin', name), args, {
      ...identity,
      cwd,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  /** @param {string[]} command */
  const run = async (command) => {
    const [code] = await once(start(command), 'exit');
    return /** @type {number} */ (code);
  };

  print(`Running ${image.command.join(' ')} as user ${identity.uid ?? process.getuid?.()}`);
  const server = start(image.command);
  try {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while ((await run(image.healthcheck)) !== 0) {
      assert(
        server.exitCode === null && Date.now() < deadline,
        'the service did not become healthy',
      );
      await setTimeout(100);
    }
    const url = `http://127.0.0.1:${port}`;
    const smoke = ['node', 'dist/smoke.js', '--expect-revision', REVISION, url];
    assert.equal(await run(smoke), 0, 'the smoke test failed');
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], 'the service did not shut down gracefully');
    assert.equal(await run(image.healthcheck), 1, 'HEALTHCHECK passed after the service exited');
  } finally {
    server.kill('SIGKILL');
  }
  print('The image becomes healthy, passes the smoke test, and shuts down gracefully');
}

/** @returns {Promise<number>} */
async function findFreePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** @param {Stage} image */
async function checkManifests(image) {
  const manifests = ['', 'smoke-test', 'monitoring'].flatMap(render);
  for (const manifest of manifests) await validate(manifest);
  checkTypes(manifests);

  /** @param {string} kind */
  const find = (kind) => {
    const manifest = manifests.find((candidate) => candidate.kind === kind);
    assert(manifest, `expected a ${kind}`);
    return manifest;
  };
  const deployment = find('Deployment').spec;
  const pod = deployment.template;
  const [container] = pod.spec.containers;
  const job = find('Job').spec.template.spec;
  /** @param {string} name */
  const getSetting = (name) => {
    const found = container.env.find(
      (/** @type {{ name: string }} */ variable) => variable.name === name,
    );
    return Number(found?.value);
  };
  for (const spec of [pod.spec, job]) {
    assert.equal(spec.securityContext.runAsUser, image.user);
    assert.equal(spec.containers[0].image, container.image);
  }
  const [http, metrics] = container.ports;
  assert.equal(http.containerPort, image.port);
  assert.equal(getSetting('PORT'), image.port);
  assert.equal(getSetting('METRICS_PORT'), metrics.containerPort);
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
    assert.equal(port, http.name);
  }
  const { interval, timeout, retries } = image.healthcheckOptions;
  const { periodSeconds, timeoutSeconds, failureThreshold } = container.livenessProbe;
  assert.deepEqual(
    [interval, timeout, retries],
    [`${periodSeconds}s`, `${timeoutSeconds}s`, `${failureThreshold}`],
    'HEALTHCHECK: expected the limits of the liveness probe',
  );
  const { labels } = pod.metadata;
  for (const kind of ['Service', 'PodDisruptionBudget', 'NetworkPolicy', 'ServiceMonitor']) {
    const { selector, podSelector = selector } = find(kind).spec;
    const selectorLabels = podSelector.matchLabels ?? podSelector;
    const selectedLabels = kind === 'ServiceMonitor' ? find('Service').metadata.labels : labels;
    for (const [name, value] of Object.entries(selectorLabels))
      assert.equal(selectedLabels[name], value, kind);
  }
  assert.deepEqual(deployment.selector.matchLabels, labels);
  const [servicePort, serviceMetricsPort] = find('Service').spec.ports;
  assert.equal(servicePort.targetPort, http.name);
  assert.equal(serviceMetricsPort.targetPort, metrics.name);
  assert.equal(find('ServiceMonitor').spec.endpoints[0].port, serviceMetricsPort.name);
  const rules = find('NetworkPolicy').spec.ingress;
  /** @param {string} name */
  const findSources = (name) =>
    rules
      .filter((/** @type {any} */ rule) =>
        rule.ports.some((/** @type {any} */ { port }) => port === name),
      )
      .map((/** @type {any} */ rule) => rule.from);
  assert.deepEqual(findSources(http.name), [undefined], 'expected http to be open to all');
  assert.deepEqual(
    findSources(metrics.name),
    [[{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }]],
    'expected metrics to be open to the namespace monitoring only',
  );
  assert.equal(
    find('HorizontalPodAutoscaler').spec.scaleTargetRef.name,
    find('Deployment').metadata.name,
  );
  assert(job.containers[0].command.includes(`$(${job.containers[0].env[0].name})`));
  assert.equal(job.containers[0].command.at(-1), `http://${find('Service').metadata.name}`);
  print(`${manifests.length} manifests are valid and match the image and the API`);
}

/**
 * @param {string} folder
 * @returns {any[]}
 */
function render(folder) {
  const path = join(PROJECT, 'deploy/kubernetes', folder);
  const rendered = execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8' });
  return parseAllDocuments(rendered).map((document) => document.toJS());
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
  execFileSync(
    process.execPath,
    [join(PROJECT, 'node_modules/typescript/bin/tsc'), ...options, file],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
}
