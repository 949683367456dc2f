import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, EXIT_CONFLICT } from '../cli-error.js';
import { findReferencingFeatures, listFeatures } from '../conflicts.js';
import {
  buildDocument,
  getTestPath,
  printDocumentDiff,
  printFiles,
  readFeatureFiles,
  renderCode,
  ROOT,
} from '../project.js';
import { readFeature } from '../resource-context.js';

/**
 * @param {string} name
 * @param {import('../options.js').Options} options
 */
export async function removeFeature(name, options) {
  const folder = name.replaceAll('_', '-');
  const features = listFeatures(ROOT);
  if (!features.includes(folder)) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: there is no such feature. Choose one of ${features.join(', ')}.`,
    );
  }
  const referencing = findReferencingFeatures(folder.replaceAll('-', '_'), ROOT);
  if (referencing.length > 0) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: ${referencing.join(', ')} references it. Remove ${referencing.length > 1 ? 'these' : 'that'} first.`,
    );
  }
  const files = readFeatureFiles(folder);
  const feature = readFeature(folder, ROOT);
  const generatedFiles = feature && (await renderCode(feature));
  if (generatedFiles === undefined) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: src/features/${folder}/README.md has no valid payload, so edits cannot be detected. Delete the files by hand.`,
    );
  }
  const edited = [...new Set([...files.keys(), ...generatedFiles.keys()])]
    .filter((path) => files.get(path) !== generatedFiles.get(path))
    .sort();
  if (edited.length > 0 && !options.force) {
    throw new CliError(
      EXIT_CONFLICT,
      ...edited.map((path) => `${path}: the file was added, edited or deleted.`),
      'Nothing was removed. Add --force to remove the feature anyway.',
    );
  }
  const document = await buildDocument(folder, new Map());
  if (options['dry-run']) {
    printFiles('would remove', files.keys());
    printDocumentDiff(document);
    return;
  }
  rmSync(join(ROOT, 'src/features', folder), { recursive: true });
  rmSync(join(ROOT, getTestPath(folder)), { force: true });
  writeFileSync(join(ROOT, 'openapi.json'), document);
  printFiles('removed', files.keys());
  printFiles('updated', ['openapi.json']);
  if (feature?.resource) {
    console.log(
      `kept the table ${feature.resource.table}, its data, and the migrations. To delete them, write a migration: drop table ${feature.resource.table};`,
    );
  }
}
