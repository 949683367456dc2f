import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, EXIT_CONFLICT } from '../cli-error.js';
import { findConflicts } from '../conflicts.js';
import { buildDocument, printDocumentDiff, printFiles, ROOT, writeFiles } from '../project.js';
import { renderFeature } from '../render.js';

/**
 * @param {import('../payload.js').Feature} feature
 * @param {import('../options.js').Options} options
 */
export async function createFeature(feature, options) {
  const conflicts = findConflicts(feature, ROOT);
  if (conflicts.length > 0) throw new CliError(EXIT_CONFLICT, ...conflicts);
  const files = await renderFeature(feature, ROOT);
  const document = await buildDocument(feature.folder, files);
  if (options['dry-run']) {
    printFiles('would create', files.keys());
    printDocumentDiff(document);
    return;
  }
  writeFiles(files);
  writeFileSync(join(ROOT, 'openapi.json'), document);
  printFiles('created', files.keys());
  printFiles('updated', ['openapi.json']);
}
