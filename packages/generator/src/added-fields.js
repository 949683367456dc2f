import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { merge } from 'node-diff3';
import { parseFieldOptions } from './fields.js';
import { parsePayload } from './payload.js';
import { findReferenceProblem, isResource } from './resource-context.js';

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
    const { name, type, isOptional } = field;
    if (!isOptional) {
      const optional = type.replace(/(?=!|$)/, '?');
      return `${name}: an added field is optional, because old rows do not have it, and replicas of the previous version create more of them. Use ${name}:${optional}.`;
    }
    return findReferenceProblem(field, changed, root) ?? [];
  });
  return errors.length > 0 ? fail(...errors) : { changed, newFields, errors };
}

/**
 * Compares the files of a resource with the files that are generated for it before and after a change.
 *
 * @param {Map<string, string>} current contents by path
 * @param {Map<string, string>} before
 * @param {Map<string, string>} after
 * @returns {{ written: Map<string, string>, merged: Map<string, string>, patches: string[] }} the files to write, those
 *   that were edited and are merged, and the changes that conflict with an edit
 */
export function compareCode(current, before, after) {
  /** @type {Map<string, string>} */
  const written = new Map();
  /** @type {Map<string, string>} */
  const merged = new Map();
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
    const { conflict, result } = merge(text.split('\n'), old.split('\n'), content.split('\n'));
    if (!conflict) {
      merged.set(path, result.join('\n'));
      continue;
    }
    // The generator reads the payload of the README later, so it is written in any case.
    const [payload] = path.endsWith('/README.md') ? (PAYLOAD.exec(content) ?? []) : [];
    const replacePayload = (/** @type {string} */ source) =>
      payload === undefined ? source : source.replace(PAYLOAD, () => payload);
    if (payload !== undefined) merged.set(path, replacePayload(text));
    const options = { headerOptions: FILE_HEADERS_ONLY };
    const patch = createTwoFilesPatch(path, path, replacePayload(old), content, '', '', options);
    patches.push(patch.trimEnd());
  }
  return { written, merged, patches };
}

/** @param {string[]} messages */
function fail(...messages) {
  return { newFields: [], errors: messages.map((message) => `--add-field ${message}`) };
}
