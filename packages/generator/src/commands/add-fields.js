import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareCode, extendResource } from '../added-fields.js';
import { CliError, EXIT_CONFLICT, EXIT_INVALID_INPUT, EXIT_UNMERGED } from '../cli-error.js';
import {
  buildDocument,
  printDocumentDiff,
  printFiles,
  readFeatureFiles,
  renderCode,
  ROOT,
  writeFiles,
} from '../project.js';
import { renderAddedColumns } from '../render.js';
import { isResource, readFeature } from '../resource-context.js';

/**
 * Adds optional fields to a resource: a migration, and the code. Edits are kept. Prints the changes that conflict with
 * one.
 *
 * @param {string[]} added such as `weight:number?`
 * @param {import('../options.js').Options} options
 */
export async function addFields(added, options) {
  const name = String(options.names[0]);
  const folder = name.replaceAll('_', '-');
  const feature = readFeature(folder, ROOT);
  if (!isResource(feature)) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: there is no resource with a valid payload in src/features/${folder}/README.md. Choose another name.`,
    );
  }
  const { changed, newFields, errors } = extendResource(feature, added, ROOT);
  if (changed === undefined) throw new CliError(EXIT_INVALID_INPUT, ...errors);
  const { written, merged, patches } = compareCode(
    readFeatureFiles(folder),
    await renderCode(feature),
    await renderCode(changed),
  );
  written.set(...renderAddedColumns(changed, newFields, ROOT));
  const files = new Map([...readFeatureFiles(folder), ...written, ...merged]);
  const document = await buildDocument(folder, files);
  if (options['dry-run']) {
    printFiles('would write', written.keys());
    printFiles('would merge', merged.keys());
    printDocumentDiff(document);
  } else {
    writeFiles(written);
    writeFiles(merged);
    writeFileSync(join(ROOT, 'openapi.json'), document);
    printFiles('wrote', written.keys());
    printFiles('merged', merged.keys());
    printFiles('updated', ['openapi.json']);
  }
  if (patches.length === 0) return;
  throw new CliError(
    EXIT_UNMERGED,
    ...patches.map((patch) => `\n${patch}`),
    '\nThese changes conflict with edits, and the new fields are not stored without them. Make them, and run npm run check:fix.',
  );
}
