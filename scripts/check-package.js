// npm run check:package: packs the npm package, installs it in an empty folder, and runs what it contains: the
// service, without discovered features, and the smoke runner. Then the same with a feature that adds dependencies
// and assets.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProjectCopy, linkDependencies } from '../test/fixtures/project-copy.js';
import {
  assertThirdPartyWorks,
  createThirdPartyProject,
} from '../test/fixtures/third-party-project.js';

const platform = await createProjectCopy('petsage-platform-');
try {
  await linkDependencies(platform);
  await checkPackage(platform);
} finally {
  rmSync(platform, { recursive: true });
}

const project = await createThirdPartyProject();
try {
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--loglevel=error'], project);
  await checkPackage(project, assertThirdPartyWorks);
} finally {
  rmSync(project, { recursive: true });
}

/**
 * @param {string} project the folder to pack
 * @param {(url: string) => Promise<void>} [assertFeatureWorks]
 */
async function checkPackage(project, assertFeatureWorks) {
  const folder = mkdtempSync(join(tmpdir(), 'petsage-package-'));
  try {
    run('npm', ['pack', '--loglevel=error', '--pack-destination', folder], project);
    const [tarball] = readdirSync(folder);
    assert(tarball, 'npm pack: expected a tarball');
    run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', `./${tarball}`], folder);

    const content = readdirSync(join(folder, 'node_modules/petsage-api')).sort();
    assert.deepEqual(content, ['CHANGELOG.md', 'README.md', 'dist', 'package.json']);

    const port = await findFreePort();
    const service = spawn(process.execPath, ['node_modules/petsage-api/dist/main.js'], {
      cwd: folder,
      env: { PATH: process.env.PATH, PORT: String(port), SHUTDOWN_DELAY_MS: '0' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const exit = once(service, 'exit');
    try {
      run('node_modules/.bin/petsage-smoke', ['--wait', '60s', `127.0.0.1:${port}`], folder);
      await assertFeatureWorks?.(`http://127.0.0.1:${port}`);
    } finally {
      service.kill();
    }
    assert.deepEqual(await exit, [0, null], 'the service did not shut down gracefully');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
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
