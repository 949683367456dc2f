import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { CliError, EXIT_FAILURE, getMessage } from './cli-error.js';
import { buildOpenApiDocument } from './openapi-document.js';
import { renderFeature } from './render.js';

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** @param {Map<string, string>} files contents by path, relative to the project */
export function writeFiles(files) {
  for (const [path, content] of files) {
    mkdirSync(join(ROOT, dirname(path)), { recursive: true });
    writeFileSync(join(ROOT, path), content);
  }
}

/**
 * Renders the files of a feature that `--remove` removes: all but its migration.
 *
 * @param {import('./payload.js').Feature} feature
 */
export async function renderCode(feature) {
  const files = await renderFeature(feature, ROOT);
  return new Map([...files].filter(([path]) => !path.endsWith('.sql')));
}

/**
 * @param {string} folder
 * @param {Map<string, string>} files
 */
export async function buildDocument(folder, files) {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interruption.abort());
  try {
    return await buildOpenApiDocument(ROOT, folder, files, interruption.signal);
  } catch (error) {
    const reason = interruption.signal.aborted
      ? 'Interrupted.'
      : `The OpenAPI document cannot be built: ${getMessage(error)}`;
    throw new CliError(EXIT_FAILURE, reason, 'Nothing was changed.');
  }
}

/**
 * Reads all files of a feature.
 *
 * @param {string} folder
 * @returns {Map<string, string>} contents by path, relative to the project
 */
export function readFeatureFiles(folder) {
  const files = readdirSync(join(ROOT, 'src/features', folder), {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)).replaceAll(sep, '/'));
  if (existsSync(join(ROOT, getTestPath(folder)))) files.push(getTestPath(folder));
  return new Map(files.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

/** @param {string} folder */
export function getTestPath(folder) {
  return `test/features/${folder}.e2e-spec.ts`;
}

/** @param {string} document the future content of openapi.json */
export function printDocumentDiff(document) {
  const current = readFileSync(join(ROOT, 'openapi.json'), 'utf8');
  const diff = createTwoFilesPatch('a/openapi.json', 'b/openapi.json', current, document, '', '', {
    headerOptions: FILE_HEADERS_ONLY,
  });
  console.log(diff.trimEnd());
}

/**
 * @param {string} action
 * @param {Iterable<string>} paths
 */
export function printFiles(action, paths) {
  for (const path of [...paths].sort()) console.log(`${action} ${path}`);
}
