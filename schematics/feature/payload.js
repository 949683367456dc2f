import { FIELD_TYPES } from './field-types.js';

/** The longest that a name and a text may be, and how many there may be of a kind. */
const NAME_LIMIT = 50;
const TEXT_LIMIT = 300;
const COUNT_LIMIT = 50;

const NO_TEXT = /[\s\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

const KEYS = ['feature', 'description', 'requirements', 'fields'];

/** Names whose folders, classes or routes are something else already. */
const RESERVED_FEATURES = new Set(
  'api app config docs favicon feature features health http lifecycle logging metrics node_modules openapi platform prototype public constructor static system v1 v2 con prn aux nul com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9'.split(
    ' ',
  ),
);

/** Names that JavaScript has plans with: its reserved words, and what every object has. */
const RESERVED_FIELDS = new Set([
  ...'await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield arguments eval undefined then prototype'.split(
    ' ',
  ),
  ...Object.getOwnPropertyNames(Object.prototype),
]);

const NAME_RULE = 'a name in snake_case such as pet_profile';
const TYPE_RULE = `one of ${Object.keys(FIELD_TYPES).join(', ')}, a choice such as dog|cat, with [] behind it for a list and ? for one that may be absent`;

/**
 * A field of a payload, read.
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {string} [typeName] the name of its type, unless it is a choice
 * @property {string[]} [choices]
 * @property {boolean} isList
 * @property {boolean} isOptional
 */

/**
 * A payload, read.
 *
 * @typedef {object} Feature
 * @property {string} name in snake_case
 * @property {string} folder in kebab-case
 * @property {string} className in PascalCase, what the names of its classes begin with
 * @property {string} title for people: `Pet profile`
 * @property {string} description
 * @property {string[]} requirements
 * @property {Field[]} fields
 * @property {Record<string, unknown>} payload what makes the same feature again
 */

/**
 * Reads a payload: `{ feature, description, requirements, fields }`.
 *
 * @param {unknown} payload whatever was sent
 * @returns {{ feature: Feature | undefined, faults: string[] }} the feature, or all that is wrong,
 *   each in a sentence with an example of what is right
 */
export function readPayload(payload) {
  if (!isObject(payload)) {
    return {
      feature: undefined,
      faults: [
        `Expected a payload such as {"feature":"pet_profile","description":"Profiles of pets"}, found ${show(payload)}`,
      ],
    };
  }
  /** @type {string[]} */
  const faults = Object.keys(payload)
    .filter((key) => !KEYS.includes(key))
    .map((key) => `${show(key)}: expected the keys ${KEYS.join(', ')} alone`);
  const name = readName(payload.feature, faults);
  const description = readText('description', 'Profiles of pets', payload.description, faults);
  const requirements = readRequirements(payload.requirements, faults);
  const fields = readFields(payload.fields, faults);
  if (faults.length > 0) return { feature: undefined, faults };
  const words = name.split('_');
  const className = words.map(capitalize).join('');
  return {
    feature: {
      name,
      folder: words.join('-'),
      className,
      title: capitalize(words.join(' ')),
      description,
      requirements,
      fields: fields.map(([field]) => field),
      payload: {
        feature: name,
        description,
        requirements: requirements.length > 0 ? requirements : 'none',
        ...(fields.length > 0 && {
          fields: Object.fromEntries(fields.map(([field, type]) => [field.name, type])),
        }),
      },
    },
    faults,
  };
}

/**
 * @param {unknown} value
 * @param {string[]} faults
 */
function readName(value, faults) {
  const name = typeof value === 'string' ? value.replaceAll('-', '_') : '';
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) || name.length > NAME_LIMIT) {
    faults.push(
      `feature: expected ${NAME_RULE}, of ${NAME_LIMIT} characters at most, found ${show(value)}`,
    );
  } else if (RESERVED_FEATURES.has(name)) {
    faults.push(`feature: expected ${NAME_RULE}, found ${show(value)}, which is reserved`);
  }
  return name;
}

/**
 * @param {string} place
 * @param {string} example
 * @param {unknown} value
 * @param {string[]} faults
 */
function readText(place, example, value, faults) {
  // A text is one line wherever it is written, and shows what is in it: line breaks, control
  // characters, half characters and those that turn the direction of writing are blanks.
  const text = typeof value === 'string' ? value.replace(NO_TEXT, ' ').trim() : '';
  if (text === '' || text.length > TEXT_LIMIT) {
    faults.push(
      `${place}: expected a text of 1 to ${TEXT_LIMIT} characters such as ${show(example)}, found ${show(value)}`,
    );
  }
  return text;
}

/**
 * @param {unknown} value
 * @param {string[]} faults
 */
function readRequirements(value, faults) {
  if (value === undefined || value === 'none') return [];
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.length > COUNT_LIMIT) {
    faults.push(
      `requirements: expected "none", a text, or a list of ${COUNT_LIMIT} texts at most such as ["An owner lists their pets"], found ${show(value)}`,
    );
    return [];
  }
  return list.map((one, i) =>
    readText(`requirements[${i}]`, 'An owner lists their pets', one, faults),
  );
}

/**
 * @param {unknown} value
 * @param {string[]} faults
 * @returns {[Field, string][]} each field and its type as it was written
 */
function readFields(value, faults) {
  if (value === undefined) return [];
  if (!isObject(value) || Object.keys(value).length > COUNT_LIMIT) {
    faults.push(
      `fields: expected ${COUNT_LIMIT} names with their types at most such as {"name":"string","age":"int?"}, found ${show(value)}`,
    );
    return [];
  }
  return Object.entries(value).flatMap(([name, type]) => {
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name) || name.length > NAME_LIMIT) {
      faults.push(
        `fields: expected names of letters, digits and _ such as birth_date, of ${NAME_LIMIT} characters at most, found ${show(name)}`,
      );
    } else if (RESERVED_FIELDS.has(name)) {
      faults.push(
        `fields: expected names such as birth_date, found ${show(name)}, which is reserved`,
      );
    }
    const field = readField(name, type);
    if (field === undefined) {
      faults.push(`fields.${name}: expected ${TYPE_RULE}, found ${show(type)}`);
      return [];
    }
    return [[field, String(type)]];
  });
}

/**
 * @param {string} name
 * @param {unknown} type
 * @returns {Field | undefined}
 */
function readField(name, type) {
  const [, base = '', list, optional] = /^([^[\]?]+)(\[\])?(\?)?$/.exec(String(type)) ?? [];
  const field = { name, isList: list !== undefined, isOptional: optional !== undefined };
  if (typeof type !== 'string') return undefined;
  if (Object.hasOwn(FIELD_TYPES, base)) return { ...field, typeName: base };
  const choices = base.split('|');
  const isChoice =
    choices.length > 1 &&
    new Set(choices).size === choices.length &&
    choices.every((choice) =>
      /^(?=.{1,50}$)[A-Za-z0-9]([A-Za-z0-9 _.-]*[A-Za-z0-9])?$/.test(choice),
    );
  return isChoice ? { ...field, choices } : undefined;
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param {string} word */
function capitalize(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/**
 * A value for a sentence, not the whole of a long one.
 *
 * @param {unknown} value
 */
function show(value) {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
