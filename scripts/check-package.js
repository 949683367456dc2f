// npm run check:package: packs the npm package, installs it in an empty folder, and runs what it contains: the
// service and the smoke runner.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'petsage-package-'));
try {
  run('npm', ['pack', '--loglevel=error', '--pack-destination', folder], process.cwd());
  const [tarball] = readdirSync(folder);
  assert(tarball, 'npm pack: expected a tarball');
  run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', `./${tarball}`], folder);

  const content = readdirSync(join(folder, 'node_modules/petsage-api')).sort();
  assert.deepEqual(content, ['CHANGELOG.md', 'README.md', 'dist', 'package.json']);
  const licenses = readFileSync(
    join(folder, 'node_modules/petsage-api/dist/THIRD-PARTY-LICENSES.txt'),
    'utf8',
  );
  for (const name of ['express', '@nestjs/core', 'ajv']) {
    assert.match(licenses, new RegExp(`^${name} [\\d.]+, license: MIT$`, 'm'));
  }

  const port = await findFreePort();
  const service = spawn(process.execPath, ['node_modules/petsage-api/dist/main.js'], {
    cwd: folder,
    env: { ...process.env, PORT: String(port), SHUTDOWN_DELAY_MS: '0' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exit = once(service, 'exit');
  try {
    run('node_modules/.bin/petsage-smoke', ['--wait', '60s', `127.0.0.1:${port}`], folder);
  } finally {
    service.kill();
  }
  assert.deepEqual(await exit, [0, null], 'the service did not shut down gracefully');
} finally {
  rmSync(folder, { recursive: true });
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
