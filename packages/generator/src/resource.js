import { createHash } from 'node:crypto';
import { capitalize, pluralize } from 'inflection';
import { TYPE_HINT } from './field-types.js';
import { parseField } from './fields.js';

/**
 * A field that is stored in a column.
 *
 * @typedef {import('./fields.js').Field & {
 *   column: string,
 *   columnType: string,
 *   isList: boolean,
 *   isTime: boolean,
 *   isUnique: boolean,
 *   isFilter: boolean,
 *   reference?: string,
 *   otherExample?: unknown,
 * }} StoredField
 *
 * The names of a resource and how it is stored.
 *
 * @typedef {object} Resource
 * @property {boolean} isPublic whether its operations need no token
 * @property {boolean} isOwned whether a row belongs to the user who created it
 * @property {StoredField[]} fields
 * @property {string} table
 * @property {string} words such as `pet profile`
 * @property {string} pluralWords
 * @property {string} pluralFolder such as `pet-profiles`
 * @property {string} pluralClassName
 */

const MODIFIERS = /^(.*?)((?:!(?:unique|filter))*)$/s;
const MISPLACED_MODIFIERS = /^([^!]*)((?:!(?:unique|filter))+)([[\]?]+)$/;
const REFERENCE = /^ref\(([a-z][a-z0-9_]*)\)(\?)?$/;

/** The longest name in PostgreSQL. */
const MAX_NAME_LENGTH = 63;

/** An entry of an index is at most 2,704 bytes, and a character at most 4. */
const MAX_INDEXED_LENGTH = 600;

/** Tables of the platform, and prefixes of the tables of PostgreSQL. */
const RESERVED_TABLES = /^(schema_migrations(_locks?)?|scheduled_jobs|pg_.*)$/;

/** Classes with these prefixes exist in the platform, and a resource imports them. */
const RESERVED_RESOURCE_NAMES = ['auth', 'database', 'id_params'];

/** Columns and parameters of every resource. */
const RESERVED_COLUMNS = [
  'id',
  'created_at',
  'updated_at',
  'version',
  'limit',
  'cursor',
  'owner_sub',
  'owner_sub_id',
];

/** Columns that every table of PostgreSQL has. */
const SYSTEM_COLUMNS = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];

/** The example of a reference, an id as the service creates it. */
const ID_EXAMPLE = '018f3a9c-5b0e-7cc3-98c4-dc0c0c07398f';

const COLUMN_TYPES = new Map([
  ['integer', 'bigint'],
  ['number', 'double precision'],
  ['boolean', 'boolean'],
  ['date', 'date'],
  ['date-time', 'timestamptz(3)'],
  ['uuid', 'uuid'],
]);

const STORED_TYPE_HINT = `${TYPE_HINT} Use ref(FEATURE) for the id of another resource. Append !unique at the end if no two may be equal, and !filter to filter lists by it.`;

/**
 * @param {string} name in snake_case
 * @param {Record<string, unknown>} payload
 * @param {string[]} errors
 * @returns {Resource}
 */
export function describeResource(name, payload, errors) {
  const isPublic = payload.public === true;
  const isOwned = payload.owned === true;
  if (isPublic && isOwned) {
    errors.push(
      'public and owned: a resource whose rows belong to users needs a token. Choose one of them.',
    );
  }
  const words = name.split('_');
  const plurals = [...words.slice(0, -1), pluralize(words.at(-1) ?? '')];
  const pluralClassName = plurals.map(capitalize).join('');
  const table = plurals.join('_');
  if (RESERVED_RESOURCE_NAMES.includes(name) || RESERVED_TABLES.test(table)) {
    errors.push(`feature: "${name}" is a reserved name of resources. Choose another name.`);
  }
  return {
    isPublic,
    isOwned,
    fields: parseStoredFields(payload.fields, errors),
    table,
    words: words.join(' '),
    pluralWords: plurals.join(' '),
    pluralFolder: plurals.join('-'),
    pluralClassName,
  };
}

/**
 * Parses the fields of a resource, whose names `parsePayload` has checked.
 *
 * @param {unknown} value
 * @param {string[]} errors
 * @returns {StoredField[]}
 */
function parseStoredFields(value, errors) {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = isMap ? Object.entries(value) : [];
  const fields = entries.flatMap(([name, expression]) =>
    parseStoredField(name, expression, errors),
  );
  if (entries.length === 0) {
    errors.push(
      'fields: a resource stores at least one field. Add one such as name:string(1..80).',
    );
  }
  for (const [index, { name, column }] of fields.entries()) {
    const twin = fields.slice(0, index).find((field) => field.column === column);
    if ([...RESERVED_COLUMNS, ...SYSTEM_COLUMNS].includes(column)) {
      errors.push(
        `fields: ${JSON.stringify(name)} is a reserved name of resources. Choose another name.`,
      );
    } else if (twin) {
      errors.push(
        `fields: ${twin.name} and ${name} would have the same column ${column}. Rename one of them.`,
      );
    } else if (column.length > MAX_NAME_LENGTH) {
      errors.push(
        `fields: ${JSON.stringify(name)} is too long for a column. Use at most ${MAX_NAME_LENGTH} characters in snake_case.`,
      );
    }
  }
  return fields;
}

/**
 * @param {string} name
 * @param {unknown} expression such as `string(1..80)?!unique`
 * @param {string[]} errors
 * @returns {StoredField[]}
 */
function parseStoredField(name, expression, errors) {
  const source = typeof expression === 'string' ? expression : '';
  const [, type = '', modifiers = ''] = MODIFIERS.exec(source) ?? [];
  const [, reference, optional = ''] = REFERENCE.exec(type) ?? [];
  const field = reference ? parseReference(name, optional) : parseField(name, type, true);
  if (field === undefined) {
    const shown = JSON.stringify(expression);
    const [, first = '', misplaced = '', last = ''] = MISPLACED_MODIFIERS.exec(source) ?? [];
    errors.push(
      misplaced
        ? `fields.${name}: ${shown} has modifiers before the end. Use ${first}${last}${misplaced}.`
        : `fields.${name}: ${shown} is not a type of a stored field. ${STORED_TYPE_HINT}`,
    );
    return [];
  }
  const isList = type.includes('[]');
  const format = String(field.apiProperty.format ?? getType(field));
  const stored = {
    ...field,
    type: source,
    column: toSnakeCase(name),
    columnType: isList ? 'jsonb' : (COLUMN_TYPES.get(format) ?? 'text'),
    isList,
    isTime: !isList && format === 'date-time',
    isUnique: modifiers.includes('!unique'),
    isFilter: modifiers.includes('!filter') || reference !== undefined,
    reference,
    otherExample: reference ? undefined : getOtherExample(field),
  };
  const problem = stored.isUnique || stored.isFilter ? findIndexProblem(stored) : undefined;
  if (problem) errors.push(`fields.${name}: ${JSON.stringify(source)} ${problem}`);
  return [stored];
}

/**
 * Parses a reference as the id of the referenced resource.
 *
 * @param {string} name
 * @param {string} optional `?` or nothing
 * @returns {import('./fields.js').Field | undefined}
 */
function parseReference(name, optional) {
  const field = parseField(name, `uuid${optional}`, true);
  // The example of an optional reference is a request that can succeed.
  const example = optional ? null : ID_EXAMPLE;
  return field && { ...field, example, apiProperty: { ...field.apiProperty, example } };
}

/**
 * Returns why a column cannot be unique or filtered by.
 *
 * @param {StoredField} field
 */
function findIndexProblem(field) {
  const { isList, isUnique, reference, example, otherExample, columnType, apiProperty } = field;
  const { maxLength, format, enum: choices } = apiProperty;
  if (isList) return 'is a list, which can neither be unique nor filtered by. Remove the modifier.';
  const isBounded =
    choices !== undefined || format === 'email' || Number(maxLength) <= MAX_INDEXED_LENGTH;
  if (columnType === 'text' && !isBounded) {
    return `needs a maximum length to be unique or filtered by. Use a string of at most ${MAX_INDEXED_LENGTH} characters, such as string(1..80).`;
  }
  const isBoolean = typeof example === 'boolean';
  const hasFewValues = otherExample === undefined || choices !== undefined || isBoolean;
  if (isUnique && reference === undefined && hasFewValues) {
    return 'has too few values to be unique. Remove !unique.';
  }
  return undefined;
}

/**
 * Returns a valid value that differs from the example.
 *
 * @param {import('./fields.js').Field} field
 */
function getOtherExample({ example, apiProperty }) {
  if (Array.isArray(example)) return [...example, ...example];
  const { format, enum: choices, minimum = -Infinity, maximum = Infinity, maxLength } = apiProperty;
  if (Array.isArray(choices)) return choices[1];
  if (typeof example === 'boolean') return !example;
  if (typeof example === 'number') {
    return [example + 1, example - 1, Number(minimum), Number(maximum)].find(
      (value) => value !== example && value >= Number(minimum) && value <= Number(maximum),
    );
  }
  if (maxLength === 0) return undefined;
  const text = String(example);
  if (format === undefined && Number(maxLength ?? Infinity) > text.length + 6)
    return `other ${text}`;
  if (format === 'uri') return 'https://example.com/other';
  if (format === 'date') return text.replace(/\d\d$/, '30');
  if (format === 'date-time') return text.replace(/^\d+/, '2027');
  if (format === 'email') return `other.${text}`;
  return `${text.slice(0, -1)}${text.endsWith('2') ? '3' : '2'}`;
}

/** @param {import('./fields.js').Field} field */
function getType({ apiProperty, tsType }) {
  return apiProperty.type ?? tsType.replace(/[()]| \| null/g, '');
}

/**
 * Returns the name of a constraint or index, shortened to what PostgreSQL allows.
 *
 * @param {string[]} parts
 */
export function joinName(...parts) {
  const name = parts.join('_');
  if (name.length <= MAX_NAME_LENGTH) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.slice(0, MAX_NAME_LENGTH - 9)}_${hash}`;
}

/** @param {string} name */
function toSnakeCase(name) {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}
