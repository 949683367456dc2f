// npm run check:deploy: checks what is deployed as far as that can be done without a container engine
// and a cluster. The Dockerfile's own steps run in order, each stage in an empty folder, and what they
// make runs as the image's user; the manifests are rendered by kubectl, validated against Kubernetes'
// schemas, and have to fit the image and the API.
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

/** A commit that nothing but the build argument could have told. */
const REVISION = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';

/** @type {Record<string, string>} */
const BUILD_ARGS = { GIT_REVISION: REVISION };

const START_LIMIT_MS = 60_000;

/**
 * A stage of the Dockerfile; the last one is the image.
 *
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} root the folder that is its file system
 * @property {string} folder where its commands run, in its file system
 * @property {Record<string, string>} args
 * @property {Record<string, string>} env
 * @property {Record<string, string>} labels
 * @property {string[]} command
 * @property {string[]} healthcheck
 * @property {number} user
 * @property {number} port
 */

const work = mkdtempSync(join(tmpdir(), 'petsage-deploy-'));
// The image's user has to get in.
chmodSync(work, 0o755);
try {
  const image = build();
  await runImage(image);
  await checkManifests(image);
} finally {
  rmSync(work, { recursive: true });
}

/** @param {string} line */
function tell(line) {
  process.stdout.write(`${line}\n`);
}

/** Runs the steps of the Dockerfile. */
function build() {
  const context = copyContext();
  const steps = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  /** @type {Stage[]} the one that is being built is the first */
  const stages = [];
  for (const step of steps) {
    tell(step);
    const [, keyword = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(step) ?? [];
    if (keyword === 'FROM') stages.unshift(startStage(rest));
    else perform(keyword, rest, stages, context);
  }
  const [image] = stages;
  assert(image, 'Dockerfile: expected FROM');
  return image;
}

/** Copies what the .dockerignore lets through, as `docker build` does. */
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
  assert.equal(found, version, `run this on Node ${version}, which the image has`);
  const root = join(work, name);
  // It has Node, where anybody may run it.
  mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
  return {
    ...{ name, root, folder: '/', args: {}, env: {}, labels: {} },
    ...{ command: [], healthcheck: [], user: 0, port: 0 },
  };
}

/**
 * @param {string} keyword
 * @param {string} rest
 * @param {Stage[]} stages
 * @param {string} context
 */
function perform(keyword, rest, stages, context) {
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
    Object.assign(stage.env, pairsOf(rest, stage));
  } else if (keyword === 'LABEL') {
    Object.assign(stage.labels, pairsOf(rest, stage));
  } else if (keyword === 'COPY') {
    const [, , name, paths = ''] = /^(--from=(\w+)\s+)?(.*)$/.exec(rest) ?? [];
    const source = name === undefined ? context : stages.find((one) => one.name === name)?.root;
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
  } else if (keyword === 'CMD') {
    stage.command = JSON.parse(rest);
  } else {
    assert.fail(`Dockerfile: expected an instruction that this script knows, found ${keyword}`);
  }
}

/**
 * @param {string} text such as `a=1 b="2 ${c}"`, where c has to be an argument of the stage
 * @param {Stage} stage
 */
function pairsOf(text, stage) {
  const pairs = [...text.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)].map(([, name = '', value = '']) => [
    name,
    value.replaceAll('"', '').replace(/\$\{(\w+)\}/g, (_, arg) => stage.args[arg] ?? ''),
  ]);
  return Object.fromEntries(pairs);
}

/**
 * @param {string[]} paths sources, and the destination at last
 * @param {string} source the folder that they are in
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

  const port = await freePort();
  const env = {
    ...image.env,
    PATH: join(image.root, 'usr/local/bin'),
    PORT: String(port),
    // As a root file system that is read-only: Node itself refuses to write.
    NODE_OPTIONS: '--permission --allow-fs-read=*',
  };
  // Only root can become somebody else.
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
  const codeOf = async (command) => {
    const [code] = await once(start(command), 'exit');
    return /** @type {number} */ (code);
  };

  tell(`Running ${image.command.join(' ')} as user ${identity.uid ?? process.getuid?.()}`);
  const server = start(image.command);
  try {
    const deadline = Date.now() + START_LIMIT_MS;
    while ((await codeOf(image.healthcheck)) !== 0) {
      assert(server.exitCode === null && Date.now() < deadline, 'it did not become healthy');
      await setTimeout(100);
    }
    const url = `http://127.0.0.1:${port}`;
    const smoke = ['node', 'dist/smoke.js', '--expect-revision', REVISION, url];
    assert.equal(await codeOf(smoke), 0, 'petsage-smoke');
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null], 'it did not drain');
    assert.equal(await codeOf(image.healthcheck), 1, 'HEALTHCHECK of a service that is gone');
  } finally {
    server.kill('SIGKILL');
  }
  tell('The image is healthy, passes its smoke test, and drains');
}

/** @returns {Promise<number>} */
async function freePort() {
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
    const manifest = manifests.find((one) => one.kind === kind);
    assert(manifest, `expected a ${kind}`);
    return manifest;
  };
  const deployment = find('Deployment').spec;
  const pod = deployment.template;
  const [container] = pod.spec.containers;
  const job = find('Job').spec.template.spec;
  /** @param {string} name */
  const setting = (name) => {
    const found = container.env.find((/** @type {{ name: string }} */ one) => one.name === name);
    return Number(found?.value);
  };
  for (const spec of [pod.spec, job]) {
    assert.equal(spec.securityContext.runAsUser, image.user);
    assert.equal(spec.containers[0].image, container.image);
  }
  assert.equal(container.ports[0].containerPort, image.port);
  assert.equal(setting('PORT'), image.port);
  // What the README says: 5 seconds each for features and the log, and 5 to spare.
  const drainMs = setting('SHUTDOWN_DELAY_MS') + setting('SHUTDOWN_TIMEOUT_MS') + 15_000;
  assert(pod.spec.terminationGracePeriodSeconds * 1000 >= drainMs, 'expected time to drain');
  const { paths } = JSON.parse(readFileSync(join(PROJECT, 'openapi.json'), 'utf8'));
  for (const name of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    const { path, port } = container[name].httpGet;
    assert(paths[path]?.get, `${name}: expected a path of the API, found ${path}`);
    assert.equal(port, container.ports[0].name);
  }
  const { labels } = pod.metadata;
  for (const kind of ['Service', 'PodDisruptionBudget', 'NetworkPolicy', 'ServiceMonitor']) {
    const { selector, podSelector = selector } = find(kind).spec;
    const wanted = podSelector.matchLabels ?? podSelector;
    const chosen = kind === 'ServiceMonitor' ? find('Service').metadata.labels : labels;
    for (const [name, value] of Object.entries(wanted)) assert.equal(chosen[name], value, kind);
  }
  assert.deepEqual(deployment.selector.matchLabels, labels);
  assert.equal(find('Service').spec.ports[0].targetPort, container.ports[0].name);
  assert.equal(
    find('HorizontalPodAutoscaler').spec.scaleTargetRef.name,
    find('Deployment').metadata.name,
  );
  assert(job.containers[0].command.includes(`$(${job.containers[0].env[0].name})`));
  assert.equal(job.containers[0].command.at(-1), `http://${find('Service').metadata.name}`);
  tell(`${manifests.length} manifests are valid, and fit the image and the API`);
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
function modelOf({ apiVersion, kind }) {
  const isCore = !apiVersion.startsWith('monitoring.coreos.com/');
  const name = isCore ? 'kubernetes-models' : '@kubernetes-models/prometheus-operator';
  return { module: `${name}/${apiVersion}`, kind };
}

/** @param {any} manifest */
async function validate(manifest) {
  const { module, kind } = modelOf(manifest);
  const { [kind]: Model } = await import(module);
  new Model(manifest).validate();
}

/**
 * The schemas let names pass that they do not know, which the types do not.
 *
 * @param {any[]} manifests
 */
function checkTypes(manifests) {
  const lines = manifests.map((manifest, index) => {
    const { module, kind } = modelOf(manifest);
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
