// npm run check:contract: compares the OpenAPI document of the last release with the current one, and
// fails on a change that breaks clients. With a higher major version, it lists such changes only.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const OASDIFF = 'github.com/oasdiff/oasdiff@v1.37.0';

const [released = '', current = ''] = process.argv.slice(2);

/** @param {string} file */
function readMajorVersion(file) {
  const { info } = JSON.parse(readFileSync(file, 'utf8'));
  return Number.parseInt(info.version);
}

const isMajorRelease = readMajorVersion(current) > readMajorVersion(released);
const failOn = isMajorRelease ? [] : ['--fail-on', 'ERR'];
const { error, status } = spawnSync(
  'go',
  ['run', OASDIFF, 'breaking', ...failOn, released, current],
  { stdio: 'inherit' },
);
if (error) {
  console.error(`Cannot run Go: ${error.message}. Install Go 1.26 or newer: https://go.dev/dl/`);
} else if (status !== 0) {
  console.error(
    'The check failed. If a change above is intended, raise the major version in package.json and run: ' +
      'npm run openapi',
  );
}
process.exitCode = status ?? 1;
