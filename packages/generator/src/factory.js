import { SchematicsException } from '@angular-devkit/schematics';
import { findConflicts } from './conflicts.js';
import { parsePayload } from './payload.js';
import { renderFeature } from './render.js';

/**
 * The schematic behind `nest generate feature NAME`.
 *
 * @param {{ name: string, description?: string }} options
 * @returns {import('@angular-devkit/schematics').Rule}
 */
export function feature({ name, description }) {
  return async (tree) => {
    const root = process.cwd();
    const { feature, errors } = parsePayload({ feature: name, description });
    if (feature === undefined) throw new SchematicsException(errors.join('\n'));
    const conflicts = findConflicts(feature, root);
    if (conflicts.length > 0) throw new SchematicsException(conflicts.join('\n'));
    for (const [path, content] of await renderFeature(feature, root)) tree.create(path, content);
  };
}
