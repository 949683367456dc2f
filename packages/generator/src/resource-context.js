import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePayload } from './payload.js';
import { joinName } from './resource.js';

/**
 * @typedef {import('./payload.js').Feature} Feature
 * @typedef {import('./resource.js').StoredField} StoredField
 * @typedef {Feature & { resource: import('./resource.js').Resource }} ResourceFeature
 */

/** The reserved key words of PostgreSQL 15 to 18. https://www.postgresql.org/docs/current/sql-keywords-appendix.html */
const RESERVED_WORDS = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
  column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
  current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
  from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
  localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
  returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
  unique user using variadic verbose when where window with`.split(/\s+/),
);

/**
 * Reads the payload from which a feature was generated, in its README.
 *
 * @param {string} folder the folder name of the feature
 * @param {string} root the folder of the project
 * @returns {Feature | undefined} undefined if there is no valid payload
 */
export function readFeature(folder, root) {
  try {
    const readme = readFileSync(join(root, 'src/features', folder, 'README.md'), 'utf8');
    const [, json = ''] = /\n## Payload\n.*\n`{3,}json\n(.*)\n`{3,}\n$/s.exec(readme) ?? [];
    const { feature } = parsePayload(JSON.parse(json));
    return feature?.folder === folder ? feature : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {Feature | undefined} feature
 * @returns {feature is ResourceFeature}
 */
export function isResource(feature) {
  return feature?.resource !== undefined;
}

/**
 * Returns the resource that a field references, or undefined if there is none.
 *
 * @param {StoredField} field
 * @param {ResourceFeature} feature
 * @param {string} root
 * @returns {ResourceFeature | undefined}
 */
export function findTarget({ reference = '' }, feature, root) {
  const target =
    reference === feature.name ? feature : readFeature(reference.replaceAll('_', '-'), root);
  return isResource(target) ? target : undefined;
}

/**
 * Returns what the templates of a resource need besides the feature.
 *
 * @param {ResourceFeature} feature whose references exist
 * @param {string} root
 */
export function createResourceContext(feature, root) {
  const { resource, path } = feature;
  const { isPublic, isOwned, table, words } = resource;
  const fields = resource.fields.map((field) => ({ ...field, ...describeExpressions(field) }));
  const uniques = fields
    .filter(({ isUnique }) => isUnique)
    .map((field) => ({ ...field, constraint: joinName(table, field.column, 'key') }));
  const references = fields.flatMap((field) => {
    const target = field.reference ? findTarget(field, feature, root) : undefined;
    if (target === undefined) return [];
    const constraint = joinName(table, field.column, 'fkey');
    return { ...field, constraint, target: { ...target.resource, feature: target } };
  });
  const filters = fields
    .filter(({ isFilter }) => isFilter)
    .map((field) => ({ ...field, index: joinName(table, field.column, 'idx') }));
  return {
    ...resource,
    fields,
    uniques,
    references,
    filters,
    constraints: [...uniques, ...references],
    article: /^[aeiou]/.test(words) ? 'an' : 'a',
    ownerParameter: isOwned ? 'ownerSub: string, ' : '',
    ownerArgument: isOwned ? 'ownerSub, ' : '',
    userParameter: isOwned ? '@CurrentUser() { sub }: AuthenticatedUser, ' : '',
    userArgument: isOwned ? 'sub, ' : '',
    whereOwner: isOwned ? ".where('owner_sub', '=', ownerSub)" : '',
    ...createTestContext(feature, root),
    otherFields: uniques.length > 0 ? JSON.stringify(getOtherFields(uniques)) : '',
    changeCode: JSON.stringify(createChange(fields)),
    joinName,
    sqlName,
    timeType,
    capitalize,
    isPublic,
    path,
  };
}

/**
 * Returns the expressions that convert a field to its column and back.
 *
 * @param {StoredField} field
 */
function describeExpressions({ name, column, isList, isTime, isOptional }) {
  const convert = (/** @type {string} */ value) =>
    isList ? `JSON.stringify(${value})` : isTime ? `new Date(${value})` : value;
  const isConverted = isList || isTime;
  const value = `body.${name}`;
  const update = isConverted ? `${value} && ${convert(value)}` : value;
  const time = isOptional ? `row.${column}?.toISOString() ?? null` : `row.${column}.toISOString()`;
  return {
    createExpression: isOptional ? update : convert(value),
    updateExpression: update,
    readExpression: isTime ? time : `row.${column}`,
  };
}

/**
 * Returns what the test of a resource needs: the modules of the resources that it references, and code that creates
 * those that are required.
 *
 * @param {ResourceFeature} feature
 * @param {string} root
 */
function createTestContext(feature, root) {
  /** @type {Map<string, ResourceFeature>} */
  const modules = new Map([[feature.folder, feature]]);
  /** @type {string[]} */
  const statements = [];
  const createExample = (/** @type {ResourceFeature} */ { resource, className }) => {
    const entries = resource.fields.map((field) => {
      if (field.reference === undefined) return [field.name, JSON.stringify(field.example)];
      const target = findTarget(field, feature, root);
      if (field.isOptional || target === undefined) return [field.name, 'null'];
      modules.set(target.folder, target);
      const variable = `${className.charAt(0).toLowerCase()}${className.slice(1)}${capitalize(field.name)}`;
      /** @type {string} */
      const body = createExample(target);
      statements.push(
        `const ${variable} = await send('post', '${target.path}').send(${body}).expect(201);`,
      );
      return [field.name, `(${variable}.body as Resource).id`];
    });
    return `{ ${entries.map(([name, value]) => `${name}: ${value}`).join(', ')} }`;
  };
  const exampleCode = createExample(feature);
  const all = [...modules.values()];
  return {
    modules: all.map(({ folder, className, resource }) => ({
      folder,
      className,
      isPublic: resource.isPublic,
    })),
    needsToken: all.some(({ resource }) => !resource.isPublic),
    requiredReferences: feature.resource.fields.filter(
      ({ reference, isOptional }) => reference && !isOptional,
    ),
    referenceCode: statements.join('\n  '),
    exampleCode,
    requestExample: Object.fromEntries(
      feature.resource.fields.map(({ name, reference, example }) => [
        name,
        reference ? null : example,
      ]),
    ),
  };
}

/** @param {StoredField[]} fields */
function getOtherFields(fields) {
  return Object.fromEntries(fields.map(({ name, otherExample }) => [name, otherExample]));
}

/**
 * Returns an update that is valid.
 *
 * @param {StoredField[]} fields
 */
function createChange(fields) {
  const field = fields.find(
    ({ otherExample, reference }) => otherExample !== undefined && !reference,
  );
  if (field) return { [field.name]: field.otherExample };
  const optional = fields.find(({ isOptional }) => isOptional);
  return optional ? { [optional.name]: null } : {};
}

/** @param {boolean} isOptional */
function timeType(isOptional) {
  return isOptional
    ? 'ColumnType<Date | null, Date | string | null | undefined, Date | string | null>'
    : 'ColumnType<Date, Date | string, Date | string>';
}

/** @param {string} name of a table or column */
function sqlName(name) {
  return RESERVED_WORDS.has(name) ? `"${name}"` : name;
}

/** @param {string} text */
function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
