// npm run check:package: packs the smoke runner and the service, without discovered features, installs each in an
// empty folder, and runs them. Then the same with a service that has a feature with dependencies and assets.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../test/fixtures/free-port.js';
import { createProjectCopy, linkDependencies } from '../test/fixtures/project-copy.js';
import {
  assertThirdPartyWorks,
  createThirdPartyProject,
} from '../test/fixtures/third-party-project.js';

/** @type {string[]} */
const folders = [];
try {
  const platform = await createProjectCopy('petsage-platform-');
  folders.push(platform);
  await linkDependencies(platform);
  const runner = installPacked(platform, '--workspace', 'petsage-smoke');
  assert.deepEqual(listPackage(runner, 'petsage-smoke'), ['README.md', 'dist', 'package.json']);
  const smokeTest = join(runner, 'node_modules/.bin/petsage-smoke');
  await checkService(platform, smokeTest);

  const project = await createThirdPartyProject();
  folders.push(project);
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--loglevel=error'], project);
  await checkService(project, smokeTest, assertThirdPartyWorks);
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true });
}

/**
 * Packs a project, and installs the package in an empty folder.
 *
 * @param {string} project
 * @param {string[]} options of `npm pack`
 * @returns {string} the folder
 */
function installPacked(project, ...options) {
  const folder = mkdtempSync(join(tmpdir(), 'petsage-package-'));
  folders.push(folder);
  run('npm', ['pack', '--loglevel=error', '--pack-destination', folder, ...options], project);
  const [tarball] = readdirSync(folder);
  assert(tarball, 'npm pack: expected a tarball');
  run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', `./${tarball}`], folder);
  return folder;
}

/**
 * @param {string} folder
 * @param {string} name
 */
function listPackage(folder, name) {
  return readdirSync(join(folder, 'node_modules', name)).sort();
}

/**
 * @param {string} project the folder to pack
 * @param {string} smokeTest the smoke runner
 * @param {(url: string) => Promise<void>} [assertFeatureWorks]
 */
async function checkService(project, smokeTest, assertFeatureWorks) {
  const folder = installPacked(project);
  const content = ['CHANGELOG.md', 'README.md', 'dist', 'package.json'];
  assert.deepEqual(listPackage(folder, 'petsage-api'), content);
  const port = await findFreePort();
  const service = spawn(process.execPath, ['node_modules/petsage-api/dist/main.js'], {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: String(port), SHUTDOWN_DELAY_MS: '0' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exit = once(service, 'exit');
  try {
    run(smokeTest, ['--wait', '60s', `127.0.0.1:${port}`], folder);
    await assertFeatureWorks?.(`http://127.0.0.1:${port}`);
  } finally {
    service.kill();
  }
  assert.deepEqual(await exit, [0, null], 'the service did not shut down gracefully');
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}
