import { join } from 'node:path';
import {
  apply,
  applyTemplates,
  filter,
  mergeWith,
  SchematicsException,
  url,
} from '@angular-devkit/schematics';
import { format, resolveConfig } from 'prettier';
import { conflictsOf } from './conflicts.js';
import { FIELD_TYPES } from './field-types.js';
import { readPayload } from './payload.js';

/** Rules that are called with options of their own before `{ each: true }`. */
const TAKES_OPTIONS = new Set(['IsNumber', 'IsEmail']);

/**
 * The schematic `feature`: writes a feature's folder and its e2e test.
 *
 * @param {{ name: string, description?: string, requirements?: string[], fields?: Record<string, string> }} options
 * @returns {import('@angular-devkit/schematics').Rule}
 */
export function feature({ name, description, requirements, fields }) {
  const { feature, faults } = readPayload({ feature: name, description, requirements, fields });
  if (feature === undefined) throw new SchematicsException(faults.join('\n'));
  return (tree) => {
    const conflicts = conflictsOf(
      feature,
      (path) => tree.read(path)?.toString(),
      tree.getDir('src/features').subdirs,
    );
    if (conflicts.length > 0) throw new SchematicsException(conflicts.join('\n'));
    return mergeWith(
      apply(url('./files'), [
        filter((path) => feature.fields.length > 0 || !path.includes('-request.dto')),
        applyTemplates({
          ...feature,
          fields: feature.fields.map(describeField),
          sentence: /[.!?]$/.test(feature.description)
            ? feature.description
            : `${feature.description}.`,
          literal,
          markdown,
          json: (/** @type {unknown} */ value) => JSON.stringify(value, null, 2),
        }),
        formatted,
      ]),
    );
  };
}

/**
 * A field as the templates want it.
 *
 * @param {import('./payload.js').Field} field
 */
function describeField({ name, typeName, choices, isList, isOptional }) {
  const known = typeName === undefined ? choiceOf(choices ?? []) : FIELD_TYPES[typeName];
  if (known === undefined) throw new Error(`No type ${typeName}`);
  const { type, rule, options, api, example, wrong, error } = known;
  const list = isList ? { each: true } : undefined;
  const args = [
    options ?? (list && TAKES_OPTIONS.has(rule) ? '{}' : undefined),
    list && '{ each: true }',
  ];
  return {
    name,
    typeText: `${typeName ?? (choices ?? []).join('|')}${isList ? '[]' : ''}`,
    isOptional,
    type: isList ? (type.includes('|') ? `(${type})[]` : `${type}[]`) : type,
    rules: [...(isOptional ? ['IsOptional'] : []), ...(isList ? ['IsArray'] : []), rule],
    decorators: [
      ...(isOptional ? ['@IsOptional()'] : []),
      ...(isList ? ['@IsArray()'] : []),
      `@${rule}(${args.filter(Boolean).join(', ')})`,
    ],
    api: {
      ...(isOptional && { required: false }),
      ...api,
      ...(isList && {
        ...(api.type === undefined && { type: type.includes('|') ? 'string' : type }),
        isArray: true,
      }),
      example: isList ? [example] : example,
    },
    example: isList ? [example] : example,
    wrong: isList ? 'no list' : wrong,
    error: isList ? { type: 'list_type', msg: 'Input should be a valid list' } : error(name),
  };
}

/**
 * @param {string[]} choices
 * @returns {import('./field-types.js').FieldType}
 */
function choiceOf(choices) {
  const quoted = choices.map((choice) => `'${choice}'`);
  const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
  return {
    type: quoted.join(' | '),
    rule: 'IsIn',
    options: `[${quoted.join(', ')}]`,
    api: { enum: choices },
    example: choices[0],
    wrong: `no ${choices[0]}`,
    error: () => ({ type: 'literal_error', msg: `Input should be ${expected}`, ctx: { expected } }),
  };
}

/**
 * Free text, and any other value, as a literal of TypeScript: the one form in which it gets there.
 *
 * @param {unknown} value
 */
function literal(value) {
  return JSON.stringify(value);
}

/**
 * Free text for Markdown, where it is text and nothing else.
 *
 * @param {string} text
 */
function markdown(text) {
  return text
    .replace(/[\\`*_{}[\]<>#|~&!$]/g, '\\$&')
    .replace(/^(\d+)([.)])/, '$1\\$2')
    .replace(/^[-+=:]/, '\\$&');
}

/**
 * Formats each file as the project's own are.
 *
 * @type {import('@angular-devkit/schematics').Rule}
 */
async function formatted(tree) {
  /** @type {string[]} */
  const paths = [];
  tree.visit((path) => paths.push(path));
  for (const path of paths) {
    const filepath = join(process.cwd(), path);
    const config = await resolveConfig(filepath);
    tree.overwrite(path, await format(tree.readText(path), { ...config, filepath }));
  }
}
