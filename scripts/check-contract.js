// npm run check:contract: compares the OpenAPI document of the last release with the current one, and
// fails on a change that breaks clients. With a higher major version, it lists such changes only.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const OASDIFF = 'github.com/oasdiff/oasdiff@v1.37.0';

/** Changes that oasdiff does not report as breaking, although they break generated clients. */
const LEVELS = join(import.meta.dirname, 'oasdiff-levels.txt');

const [released = '', current = ''] = process.argv.slice(2);

/** @param {string} file */
function readMajorVersion(file) {
  const { info } = JSON.parse(readFileSync(file, 'utf8'));
  return Number.parseInt(info.version);
}

const installed = spawnSync('go', ['run', OASDIFF, '--version'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
if (installed.status !== 0) {
  console.error(
    `Cannot run oasdiff${installed.error ? `: ${installed.error.message}` : ''}. It needs Go 1.21 or newer, which downloads what oasdiff needs: https://go.dev/dl/`,
  );
  process.exit(1);
}

const isMajorRelease = readMajorVersion(current) > readMajorVersion(released);
const failOn = isMajorRelease ? [] : ['--fail-on', 'WARN'];
const { status } = spawnSync(
  'go',
  ['run', OASDIFF, 'breaking', '--severity-levels', LEVELS, ...failOn, released, current],
  { stdio: 'inherit' },
);
if (status !== 0) {
  console.error(
    'The check failed. If a change above is intended, raise the major version in package.json and run: ' +
      'npm run openapi',
  );
}
process.exitCode = status ?? 1;
