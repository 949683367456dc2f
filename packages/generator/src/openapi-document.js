import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const COPIED_PATHS = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'src'];

/**
 * Builds the OpenAPI document as it will be after a feature has been created or removed.
 *
 * Works on a copy of the project in a temporary folder. The project stays unchanged if the build
 * fails, and a running `npm run start:dev` or `npm run build` is not disturbed.
 *
 * @param {string} root the folder of the project
 * @param {string} folder the folder name of the feature
 * @param {Map<string, string>} files the new files of the feature; empty if it is being removed
 * @param {AbortSignal} signal
 */
export async function buildOpenApiDocument(root, folder, files, signal) {
  const copy = await mkdtemp(join(tmpdir(), 'petsage-feature-'));
  const runNode = (/** @type {string[]} */ ...args) =>
    promisify(execFile)(process.execPath, args, { cwd: copy, signal });
  try {
    for (const path of COPIED_PATHS) {
      await cp(join(root, path), join(copy, path), { recursive: true });
    }
    // A junction needs no administrator rights on Windows; other systems ignore the type.
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
    await rm(join(copy, 'src/features', folder), { recursive: true, force: true });
    for (const [path, content] of files) {
      await mkdir(dirname(join(copy, path)), { recursive: true });
      await writeFile(join(copy, path), content);
    }
    await runNode('node_modules/typescript-7/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck');
    await runNode('scripts/openapi.js');
    return await readFile(join(copy, 'openapi.json'), 'utf8');
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
