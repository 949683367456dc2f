// Builds PetSage API with generated features.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parsePayload } from '../packages/generator/src/payload.js';
import { renderFeature } from '../packages/generator/src/render.js';
import { createProjectCopy, linkDependencies } from '../test/fixtures/project-copy.js';
import { run } from './machine.js';

const COPIED_PATHS = [
  'nest-cli.json',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'src',
];

/**
 * Builds the service once for each number of features, in a temporary copy of the project without discovered
 * features, which is removed when this process exits. `npm run feature` creates the same features.
 *
 * @param {number[]} counts
 * @returns {Promise<Map<number, string>>} the path of `main.js` by the number of features
 */
export async function buildPetsageWithFeatures(counts) {
  const copy = await copyProject();
  const names = Array.from({ length: Math.max(...counts) }, (_, index) => formatId(index + 1));
  for (const id of names) {
    const fields = { ping: 'string' };
    await writeFeature({ feature: `feature_${id}`, description: 'A feature', fields }, copy);
  }
  await build(copy);
  /** @type {Map<number, string>} */
  const mains = new Map();
  for (const count of counts.toSorted((a, b) => b - a)) {
    for (const id of names.splice(count)) {
      rmSync(join(copy, `dist/features/feature-${id}`), { recursive: true });
    }
    // Beside the sources, the service would expect a build of each feature that has sources.
    const folder = join(copy, 'builds', String(count));
    cpSync(join(copy, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(copy, 'package.json'), join(folder, 'package.json'));
    mains.set(count, join(folder, 'dist/main.js'));
  }
  return mains;
}

/**
 * Builds the service with a feature that `npm run feature` creates, in a temporary copy of the project, which is removed
 * when this process exits.
 *
 * @param {object} payload of the generator
 * @returns {Promise<string>} the path of `main.js`
 */
export async function buildPetsageWithFeature(payload) {
  const copy = await copyProject();
  await writeFeature(payload, copy);
  await build(copy);
  return join(copy, 'dist/main.js');
}

/** @param {number} number */
export function formatId(number) {
  return String(number).padStart(4, '0');
}

async function copyProject() {
  const copy = await createProjectCopy('petsage-bench-', COPIED_PATHS);
  process.on('exit', () => rmSync(copy, { recursive: true }));
  await linkDependencies(copy);
  return copy;
}

/** @param {string} root */
async function build(root) {
  await run(process.execPath, ['node_modules/@nestjs/cli/bin/nest.js', 'build'], { cwd: root });
}

/**
 * @param {object} payload
 * @param {string} root
 */
async function writeFeature(payload, root) {
  const { feature, errors } = parsePayload(payload);
  if (feature === undefined) throw new Error(errors.join('\n'));
  for (const [path, content] of await renderFeature(feature, root)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}
