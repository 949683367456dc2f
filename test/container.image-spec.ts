// npm run test:image: builds the image with a Docker engine, and runs it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import {
  BUILD_TIMEOUT_MS,
  buildImage,
  docker,
  LOCKED_DOWN,
  requireDocker,
  REVISION,
  startContainer,
} from './fixtures/docker.js';
import { findFreePort } from './fixtures/free-port.js';
import { openUpload } from './fixtures/http.js';
import { createProjectCopy } from './fixtures/project-copy.js';
import { assertThirdPartyWorks, createThirdPartyProject } from './fixtures/third-party-project.js';
import { waitFor } from './fixtures/wait-for.js';

/** The image of the project without discovered features. */
const IMAGE = 'petsage-api:test';

/** The image of the project with a feature that adds dependencies and assets. */
const THIRD_PARTY_IMAGE = 'petsage-api:test-third-party';

/** Against hanging. HEALTHCHECK runs every 10 seconds. */
const HEALTHY_TIMEOUT_MS = 120_000;

/** What `docker image inspect` prints. */
interface Image {
  Size: number;
  Config: {
    User: string;
    ExposedPorts: Record<string, unknown>;
    Labels: Record<string, string>;
    Healthcheck: { Test: string[]; Interval: number; Timeout: number; Retries: number };
  };
}

/** The part of deploy/kubernetes/deployment.yaml that depends on the image. */
interface PodSpec {
  securityContext: { runAsUser: number; runAsGroup: number };
  containers: [
    {
      ports: [{ containerPort: number }];
      livenessProbe: Record<'periodSeconds' | 'timeoutSeconds' | 'failureThreshold', number>;
    },
  ];
}

let image: Image;

beforeAll(async () => {
  await requireDocker();
  const project = await createProjectCopy('petsage-image-');
  try {
    await buildImage(IMAGE, project);
  } finally {
    await rm(project, { recursive: true });
  }
  image = await inspectImage(IMAGE);
}, BUILD_TIMEOUT_MS);

async function inspectImage(name: string): Promise<Image> {
  const [found] = JSON.parse(await docker('image', 'inspect', name)) as [Image];
  return found;
}

async function waitUntilHealthy(id: string): Promise<void> {
  await waitFor(
    async () => (await docker('inspect', '--format', '{{.State.Health.Status}}', id)) === 'healthy',
    HEALTHY_TIMEOUT_MS,
  );
}

/** Runs the smoke test in a container. The runner exits with an error if a check fails. */
async function runSmokeTest(id: string): Promise<string> {
  const command = ['node', 'packages/smoke-runner/dist/main.js', '--expect-revision', REVISION];
  return docker('exec', id, ...command, 'http://127.0.0.1:8000');
}

describe('the image', () => {
  // Not its size, which depends on the packages of the features.
  it('contains only what the service needs', async () => {
    const run = ['run', '--rm', IMAGE];
    const names = (await docker(...run, 'ls', '-A')).split('\n');
    expect(names).toEqual(['dist', 'node_modules', 'package.json', 'packages']);
    const files = (await docker(...run, 'find', 'packages', '-maxdepth', '2')).split('\n').sort();
    expect(files).toEqual([
      'packages',
      'packages/smoke-runner',
      'packages/smoke-runner/dist',
      'packages/smoke-runner/package.json',
    ]);
    // What the smoke runner needs, and what only the generator needs.
    const packages = ['ajv', 'petsage-smoke', 'petsage-generator', 'diff', '@angular-devkit'];
    const listed = (await docker(...run, 'ls', 'node_modules')).split('\n');
    expect(packages.filter((name) => listed.includes(name))).toEqual(['ajv', 'petsage-smoke']);
    const unneeded = [
      ...['-path', 'node_modules/typescript'],
      // A development dependency.
      ...['-o', '-path', 'node_modules/jest'],
      ...['-o', '-name', '*[jst]s.map'],
      ...['-o', '-name', '*.d.ts', '-o', '-name', '*.d.[cm]ts'],
      ...['-o', '-name', 'swagger-ui-es-*'],
    ];
    expect(await docker(...run, 'find', 'node_modules', ...unneeded)).toBe('');
  });

  it('has labels with its version and revision', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(image.Config.Labels).toMatchObject({
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': REVISION,
    });
  });

  it('matches the Kubernetes manifest', async () => {
    const manifest = await readFile('deploy/kubernetes/deployment.yaml', 'utf8');
    const { spec } = (parse(manifest) as { spec: { template: { spec: PodSpec } } }).spec.template;
    const { runAsUser, runAsGroup } = spec.securityContext;
    const [{ ports, livenessProbe }] = spec.containers;
    const { User, ExposedPorts, Healthcheck } = image.Config;
    expect(User).toBe(`${runAsUser}:${runAsGroup}`);
    expect(Object.keys(ExposedPorts)).toEqual([`${ports[0].containerPort}/tcp`]);
    // Docker's unit is a nanosecond.
    expect(Healthcheck).toMatchObject({
      Interval: livenessProbe.periodSeconds * 1e9,
      Timeout: livenessProbe.timeoutSeconds * 1e9,
      Retries: livenessProbe.failureThreshold,
    });
  });

  it('passes the smoke test with a read-only file system, without capabilities and network', async () => {
    const id = await startContainer(IMAGE, ...LOCKED_DOWN, '--network', 'none');
    await waitUntilHealthy(id);
    expect(await docker('exec', id, 'id', '-u')).toBe('1000');
    expect(await runSmokeTest(id)).toContain(REVISION);
  });

  it('writes no file as an arbitrary user', async () => {
    const id = await startContainer(IMAGE, '--user', '123456:0');
    await waitUntilHealthy(id);
    expect(await docker('exec', id, 'id', '-u')).toBe('123456');
    await runSmokeTest(id);
    expect(await docker('diff', id)).toBe('');
  });

  it('passes the smoke test of its log', async () => {
    const id = await startContainer(IMAGE);
    await waitUntilHealthy(id);
    const logs = spawn('docker', ['logs', '--follow', id], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const runner = spawn(
      'docker',
      [
        'exec',
        '--interactive',
        id,
        'node',
        'packages/smoke-runner/dist/main.js',
        '--logs',
        '-',
        'http://127.0.0.1:8000',
      ],
      { stdio: [logs.stdout, 'pipe', 'inherit'] },
    );
    const output = text(runner.stdout);
    const [code] = (await once(runner, 'exit')) as [number];
    logs.kill();
    expect([code, await output]).toEqual([0, expect.any(String)]);
  });

  it('serves an open request after SIGTERM, and exits with code 0', async () => {
    const port = await findFreePort();
    const id = await startContainer(
      IMAGE,
      ...['--publish', `127.0.0.1:${port}:8000`, '--env', 'SHUTDOWN_DELAY_MS=0'],
    );
    await waitUntilHealthy(id);
    const body = '{"ping":"a"}';
    const upload = await openUpload({ url: `http://127.0.0.1:${port}` }, body.length);
    const stopped = docker('stop', '-t', '40', id);
    await waitFor(async () => (await docker('logs', id)).includes('SIGTERM'));
    upload.write(body);
    expect(await text(upload)).toContain('"pong":"a"');
    await stopped;
    expect(await docker('wait', id)).toBe('0');
  });

  it('exits with code 1 if a setting is wrong', async () => {
    await expect(docker('run', '--rm', '--env', 'PORT=a', IMAGE)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^PORT: /) as string,
    });
  });

  it('is unhealthy if nothing listens', async () => {
    const [, ...command] = image.Config.Healthcheck.Test;
    await expect(docker('run', '--rm', IMAGE, ...command)).rejects.toMatchObject({ code: 1 });
  });
});

describe('the image with a feature that adds dependencies and assets', () => {
  let project: string;

  beforeAll(async () => {
    project = await createThirdPartyProject();
    await buildImage(THIRD_PARTY_IMAGE, project);
  }, BUILD_TIMEOUT_MS);

  afterAll(async () => {
    await rm(project, { recursive: true });
  });

  it('loads HTTP client, database driver, native addon, and files', async () => {
    const port = await findFreePort();
    const publish = ['--publish', `127.0.0.1:${port}:8000`];
    const id = await startContainer(THIRD_PARTY_IMAGE, ...LOCKED_DOWN, ...publish);
    await waitUntilHealthy(id);
    await assertThirdPartyWorks(`http://127.0.0.1:${port}`);
    await runSmokeTest(id);
  });
});
