import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capitalize } from 'inflection';
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
function findTarget({ reference = '' }, feature, root) {
  const target =
    reference === feature.name ? feature : readFeature(reference.replaceAll('_', '-'), root);
  return isResource(target) ? target : undefined;
}

/**
 * Returns why a field cannot reference what it names, if it cannot.
 *
 * @param {StoredField} field
 * @param {ResourceFeature} feature
 * @param {string} root
 */
export function findReferenceProblem(field, feature, root) {
  const { name, type, reference, isOptional } = field;
  if (reference === undefined) return undefined;
  const target = findTarget(field, feature, root);
  if (target === undefined) {
    return `the field ${name} references ${reference}, which is no generated resource in src/features. Create it first with --resource.`;
  }
  if (target.resource.isOwned && !feature.resource.isOwned) {
    return `the field ${name} references ${reference}, whose rows belong to users. Only an owned resource can reference it: add --owned.`;
  }
  if (reference === feature.name && !isOptional) {
    return `the field ${name} references the resource itself, so that none could be created. Make it optional: ${type.replace(')', ')?')}.`;
  }
  return undefined;
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
  const fields = resource.fields.map((field) => ({
    ...field,
    ...describeExpressions(field),
    // The example of a reference does not exist.
    requestExample: field.reference && field.isOptional ? null : field.example,
  }));
  const uniques = fields
    .filter(({ isUnique }) => isUnique)
    .map((field) => ({ ...field, constraint: joinName(table, field.column, 'key') }));
  const references = fields.flatMap((field) => {
    const target = findTarget(field, feature, root);
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
    article: /^(?!eu|one|uni|us|uu)[aeiou]/.test(words) ? 'an' : 'a',
    ownerParameter: isOwned ? 'ownerSub: string, ' : '',
    ownerArgument: isOwned ? 'ownerSub, ' : '',
    userParameter: isOwned ? '@CurrentUser() { sub }: AuthenticatedUser, ' : '',
    userArgument: isOwned ? 'sub, ' : '',
    whereOwner: isOwned ? ".where('owner_sub', '=', ownerSub)" : '',
    ...createTestContext(feature, root),
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
 * Returns what the test of a resource needs: code of requests, and code that creates the resources that they
 * reference.
 *
 * @param {ResourceFeature} feature
 * @param {string} root
 */
function createTestContext(feature, root) {
  /** @type {Map<string, ResourceFeature>} */
  const modules = new Map([[feature.folder, feature]]);
  /** @type {Map<string, string>} */
  const statements = new Map();

  /**
   * @param {StoredField[]} fields
   * @param {boolean} isOther whether fields have another value than the first example
   * @returns {string}
   */
  function formatBody(fields, isOther) {
    const entries = fields.map((field) => `${field.name}: ${formatValue(field, isOther)}`);
    return `{ ${entries.join(', ')} }`;
  }

  /**
   * @param {StoredField} field
   * @param {boolean} isOther
   */
  function formatValue(field, isOther) {
    const { isOptional, example, otherExample = example } = field;
    const target = isOptional ? undefined : findTarget(field, feature, root);
    if (target === undefined) return JSON.stringify(isOther ? otherExample : example);
    modules.set(target.folder, target);
    const variable = `${isOther ? 'other' : 'created'}${target.className}`;
    if (!statements.has(variable)) {
      const required = target.resource.fields.filter((field) => !field.isOptional);
      const body = formatBody(required, isOther);
      statements.set(
        variable,
        `const ${variable} = await send('post', '${target.path}').send(${body}).expect(201);`,
      );
    }
    return `(${variable}.body as Resource).id`;
  }

  const { fields } = feature.resource;
  // The example of an optional reference is null, which is not unique.
  const uniqueFields = fields.filter(({ isUnique, example }) => isUnique && example !== null);
  const exampleCode = formatBody(fields, false);
  const otherFields = fields.filter(
    ({ isUnique, reference, example, otherExample }) =>
      otherExample !== undefined || (isUnique && reference !== undefined && example !== null),
  );
  const otherFieldsCode = formatBody(otherFields, true);
  const changedField = (otherFields[0] ?? fields[0])?.name;
  const all = [...modules.values()];
  return {
    modules: all.map(({ folder, className }) => ({ folder, className })),
    needsToken: all.some(({ resource }) => !resource.isPublic),
    referenceCode: [...statements.values()].join('\n  '),
    exampleCode,
    otherFieldsCode,
    uniqueFields,
    changeCode: `{ ${changedField}: example.${changedField} }`,
  };
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
