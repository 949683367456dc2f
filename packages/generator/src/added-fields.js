import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { parseFieldOptions } from './fields.js';
import { parsePayload } from './payload.js';
import { findTarget, isResource } from './resource-context.js';

/**
 * @typedef {import('./resource-context.js').ResourceFeature} ResourceFeature
 * @typedef {import('./resource.js').StoredField} StoredField
 */

const PAYLOAD = /\n## Payload\n[^]*$/;

/**
 * Adds optional fields to a resource.
 *
 * @param {ResourceFeature} feature
 * @param {string[]} options such as `weight:number?`
 * @param {string} root the folder of the project
 * @returns {{ changed?: ResourceFeature, newFields: StoredField[], errors: string[] }} the changed resource, or all errors
 */
export function extendResource(feature, options, root) {
  const { fields, error } = parseFieldOptions(options);
  if (error !== undefined) return fail(error);
  const { payload } = feature;
  const oldFields = /** @type {Record<string, string>} */ (payload.fields);
  const known = Object.keys(fields).filter((name) => Object.hasOwn(oldFields, name));
  if (known.length > 0) return fail(`${known[0]}: the field already exists. Choose another name.`);
  const parsed = parsePayload({ ...payload, fields: { ...oldFields, ...fields } });
  const changed = parsed.feature;
  if (!isResource(changed)) return fail(...parsed.errors);
  const newFields = changed.resource.fields.filter(({ name }) => Object.hasOwn(fields, name));
  const errors = newFields.flatMap((field) => {
    const { name, type, isOptional, reference } = field;
    if (!isOptional) {
      const optional = type.replace(/(?=!|$)/, '?');
      return `${name}: an added field is optional, because old rows do not have it, and replicas of the previous version create more of them. Use ${name}:${optional}.`;
    }
    if (reference !== undefined && !findTarget(field, changed, root)) {
      return `${name}: ${reference} is no generated resource in src/features. Create it first with --resource.`;
    }
    return [];
  });
  return errors.length > 0 ? fail(...errors) : { changed, newFields, errors };
}

/**
 * Compares the files of a resource with those that were generated for it before and after a change.
 *
 * @param {Map<string, string>} current contents by path
 * @param {Map<string, string>} before
 * @param {Map<string, string>} after
 * @returns {{ written: Map<string, string>, patches: string[] }} the files to write, and the changes of edited files
 */
export function compareCode(current, before, after) {
  /** @type {Map<string, string>} */
  const written = new Map();
  /** @type {string[]} */
  const patches = [];
  for (const [path, content] of after) {
    const old = before.get(path) ?? '';
    if (content === old) continue;
    const text = current.get(path) ?? '';
    if (text === old) {
      written.set(path, content);
      continue;
    }
    const patch = { headerOptions: FILE_HEADERS_ONLY };
    patches.push(createTwoFilesPatch(path, path, old, content, '', '', patch).trimEnd());
    // The generator reads the payload of the README later.
    const [payload] = PAYLOAD.exec(content) ?? [];
    if (payload !== undefined)
      written.set(
        path,
        text.replace(PAYLOAD, () => payload),
      );
  }
  return { written, patches };
}

/** @param {string[]} messages */
function fail(...messages) {
  return { newFields: [], errors: messages.map((message) => `--add-field ${message}`) };
}
