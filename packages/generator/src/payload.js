import { capitalize } from 'inflection';
import { TYPE_HINT } from './field-types.js';
import { parseField } from './fields.js';
import { describeResource } from './resource.js';

/** @typedef {import('./fields.js').Field} Field */

const KEYS = [
  'feature',
  'description',
  'requirements',
  'fields',
  'path',
  'resource',
  'public',
  'owned',
  'job',
];

const MAX_NAME_LENGTH = 50;

/** Device names of Windows, which cannot be folders, and names with a meaning in JavaScript. */
const RESERVED_FEATURE_NAMES = /^(con|prn|aux|nul|com\d|lpt\d|constructor|prototype)$/;

const RESERVED_FIELD_NAMES = ['prototype', ...Object.getOwnPropertyNames(Object.prototype)];

/** Line breaks, control characters, lone surrogates, and characters that change text direction. */
const UNSAFE_CHARACTERS = /[\s\p{Cc}\p{Cs}\p{Bidi_Control}]+/gu;

/**
 * @typedef {object} Feature
 * @property {string} name in snake_case
 * @property {string} folder in kebab-case
 * @property {string} className in PascalCase, the prefix of all class names
 * @property {string} path the base route, such as `/pet-profile`
 * @property {string} title such as `Pet profile`
 * @property {string} description
 * @property {string[]} requirements
 * @property {Field[]} fields
 * @property {import('./resource.js').Resource} [resource] how the fields are stored
 * @property {boolean} isJob whether it has a scheduled job
 * @property {Record<string, unknown>} payload the normalized payload
 */

/**
 * Validates a payload, `{ feature, description, requirements, fields, path, resource, public, owned, job }`.
 *
 * @param {unknown} payload
 * @returns {{ feature?: Feature, errors: string[] }} the feature, or all errors
 */
export function parsePayload(payload) {
  if (!isObject(payload)) {
    return {
      errors: [
        `${show(payload)} is not a payload. Use an object such as {"feature":"pet_profile","description":"Profiles of pets"}.`,
      ],
    };
  }
  /** @type {string[]} */
  const errors = [];
  for (const key of Object.keys(payload).filter((key) => !KEYS.includes(key))) {
    errors.push(`${show(key)} is not a key of a payload. Use ${KEYS.join(', ')}.`);
  }
  const name = parseName(payload.feature, errors);
  const requirements = parseRequirements(payload.requirements, errors);
  const isJob = parseFlag('job', payload.job, errors);
  const isResource = parseFlag('resource', payload.resource, errors);
  for (const key of ['public', 'owned']) {
    if (parseFlag(key, payload[key], errors) && !isResource) {
      errors.push(`${key}: only a resource can be ${key}. Add "resource": true (--resource).`);
    }
  }
  checkFieldNames(payload.fields, errors);
  const resource = isResource ? describeResource(name, payload, errors) : undefined;
  const fields = resource?.fields ?? parseFields(payload.fields, errors);
  const defaultPath = resource
    ? `/api/v1/${resource.pluralFolder}`
    : `/${name.replaceAll('_', '-')}`;
  const path = parsePath(payload.path, defaultPath, errors);
  const words = name.split('_');
  const title = capitalize(words.join(' '));
  const defaultDescription = `${resource ? capitalize(resource.pluralWords) : title}.`;
  const { description: text = defaultDescription } = payload;
  const description = parseText('description', text, errors);
  if (errors.length > 0) return { errors };
  return {
    feature: {
      name,
      folder: words.join('-'),
      className: words.map(capitalize).join(''),
      path,
      title,
      description,
      requirements,
      fields,
      resource,
      isJob,
      payload: {
        feature: name,
        description,
        requirements: requirements.length > 0 ? requirements : 'none',
        ...(fields.length > 0 && {
          fields: Object.fromEntries(fields.map((field) => [field.name, field.type])),
        }),
        ...(resource && { resource: true }),
        ...(resource?.isPublic && { public: true }),
        ...(resource?.isOwned && { owned: true }),
        ...(isJob && { job: true }),
        ...(path !== defaultPath && { path }),
      },
    },
    errors,
  };
}

/**
 * @param {unknown} value
 * @param {string[]} errors
 */
function parseName(value, errors) {
  const name = typeof value === 'string' ? value.replaceAll('-', '_') : '';
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) || name.length > MAX_NAME_LENGTH) {
    errors.push(
      `feature: ${show(value)} is not a valid name. Use at most ${MAX_NAME_LENGTH} lowercase letters, digits and underscores, such as pet_profile.`,
    );
  } else if (RESERVED_FEATURE_NAMES.test(name)) {
    errors.push(`feature: ${show(value)} is a reserved name. Choose another name.`);
  }
  return name;
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {string[]} errors
 */
function parseText(key, value, errors) {
  const text = typeof value === 'string' ? value.replace(UNSAFE_CHARACTERS, ' ').trim() : '';
  if (text === '') {
    errors.push(`${key}: ${show(value)} is not a text. Write one sentence.`);
  }
  return text;
}

/**
 * @param {unknown} value
 * @param {string[]} errors
 */
function parseRequirements(value, errors) {
  if (isNone(value)) return [];
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list)) {
    errors.push(
      `requirements: ${show(value)} is not a list. Use "none", a sentence, or a list such as ["An owner lists their pets"].`,
    );
    return [];
  }
  return list.flatMap((item, i) =>
    isNone(item) ? [] : [parseText(`requirements[${i}]`, item, errors)],
  );
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {string[]} errors
 */
function parseFlag(key, value, errors) {
  if (value !== undefined && typeof value !== 'boolean') {
    errors.push(`${key}: ${show(value)} is not valid. Use true or false.`);
  }
  return value === true;
}

/**
 * @param {unknown} value
 * @param {string[]} errors
 */
function checkFieldNames(value, errors) {
  if (isNone(value)) return;
  if (!isObject(value)) {
    errors.push(
      `fields: ${show(value)} is not an object. Map names to types, such as {"name":"string","age":"int?"}.`,
    );
    return;
  }
  for (const name of Object.keys(value)) {
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name) || name.length > MAX_NAME_LENGTH) {
      errors.push(
        `fields: ${show(name)} is not a valid field name. Use at most ${MAX_NAME_LENGTH} letters, digits and underscores, such as birth_date.`,
      );
    } else if (RESERVED_FIELD_NAMES.includes(name)) {
      errors.push(`fields: ${show(name)} is a reserved name. Choose another name.`);
    }
  }
}

/**
 * @param {unknown} value
 * @param {string[]} errors
 * @returns {Field[]}
 */
function parseFields(value, errors) {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, type]) => {
    const field = parseField(name, type);
    if (field) return [field];
    const hint = /!|^ref\(/.test(String(type))
      ? 'Only the fields of a resource have modifiers and references: add "resource": true (--resource).'
      : TYPE_HINT;
    errors.push(`fields.${name}: ${show(type)} is not a type. ${hint}`);
    return [];
  });
}

/**
 * @param {unknown} value
 * @param {string} defaultPath
 * @param {string[]} errors
 */
function parsePath(value, defaultPath, errors) {
  if (value === undefined) return defaultPath;
  const path = `/${String(value).replace(/^\/|\/$/g, '')}`;
  if (typeof value !== 'string' || !/^(\/[a-z0-9_-][a-z0-9._-]*)+$/.test(path)) {
    errors.push(
      `path: ${show(value)} is not a valid path. Use lowercase letters, digits, hyphens and slashes, such as /api/v1/pets.`,
    );
  }
  return path;
}

/** @param {unknown} value */
function isNone(value) {
  if (typeof value === 'string') return /^(none)?$/i.test(value.trim());
  return value === undefined || value === null;
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Formats a value for an error message.
 *
 * @param {unknown} value
 */
function show(value) {
  const text = value === undefined ? 'undefined' : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
