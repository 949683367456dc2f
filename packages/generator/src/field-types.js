/** @typedef {[decorator: string, ...args: string[]]} Rule a decorator of class-validator or the platform */

/**
 * The type of a field, or of the items of a list.
 *
 * @typedef {object} FieldType
 * @property {{ type: string, enum?: string[] } & Record<string, unknown>} schema in OpenAPI
 * @property {Rule[]} rules
 * @property {unknown} example
 * @property {unknown} invalidExample
 */

// The patterns of the decorators, for clients.
const DATE_PATTERN = '^[1-9]\\d{3}-\\d{2}-\\d{2}$';
const DATE_TIME_PATTERN =
  '^[1-9]\\d{3}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$';

const URL_OPTIONS = "{ protocols: ['http', 'https'], require_protocol: true, require_tld: false }";

/** @type {Record<string, FieldType>} */
const NAMED_TYPES = {
  string: {
    schema: { type: 'string' },
    rules: [['IsString']],
    example: 'text',
    invalidExample: 5,
  },
  int: {
    schema: { type: 'integer' },
    rules: [['IsInt']],
    example: 3,
    invalidExample: 'three',
  },
  number: {
    schema: { type: 'number' },
    rules: [['IsNumber', '{}']],
    example: 1.5,
    invalidExample: 'one',
  },
  boolean: {
    schema: { type: 'boolean' },
    rules: [['IsBoolean']],
    example: true,
    invalidExample: 'yes',
  },
  date: {
    schema: { type: 'string', format: 'date', pattern: DATE_PATTERN },
    rules: [['IsDateText']],
    example: '2026-01-31',
    invalidExample: '2026-02-30',
  },
  'date-time': {
    schema: { type: 'string', format: 'date-time', pattern: DATE_TIME_PATTERN },
    rules: [['IsDateTimeText']],
    example: '2026-01-31T12:00:00.000Z',
    invalidExample: '2026-02-30T12:00:00.000Z',
  },
  email: {
    schema: { type: 'string', format: 'email' },
    rules: [['IsEmail', '{}']],
    example: 'rex@example.com',
    invalidExample: 'rex',
  },
  uuid: {
    schema: { type: 'string', format: 'uuid' },
    rules: [['IsUUID', "'loose'"]],
    example: '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c11',
    invalidExample: 'rex',
  },
  url: {
    schema: { type: 'string', format: 'uri', description: 'An HTTP or HTTPS URL.' },
    rules: [['IsUrl', URL_OPTIONS]],
    example: 'https://example.com/rex',
    invalidExample: 'rex',
  },
};

/** Letters, digits and marks of any script; spaces and signs between them. */
const CHOICE = /^[\p{L}\p{N}](?:[\p{L}\p{N}\p{M}\p{Join_Control} ._+/-]*[\p{L}\p{N}\p{M}])?$/u;

export const TYPE_HINT = `Use ${Object.keys(NAMED_TYPES).join(', ')}, limits such as string(1..80) or int(0..), or choices such as dog|cat. Append [] for a list and ? for an optional field.`;

/**
 * Returns the rules of a value that is stored: as strict as its column.
 *
 * @param {FieldType} type
 * @returns {FieldType}
 */
export function toStoredType(type) {
  const { schema, rules } = type;
  if (schema.type === 'integer') {
    const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema;
    const limits = /** @type {Rule[]} */ ([
      ...('minimum' in schema ? [] : [['Min', 'Number.MIN_SAFE_INTEGER']]),
      ...('maximum' in schema ? [] : [['Max', 'Number.MAX_SAFE_INTEGER']]),
    ]);
    return { ...type, schema: { ...schema, minimum, maximum }, rules: [...rules, ...limits] };
  }
  const isText =
    schema.type === 'string' &&
    !schema.enum &&
    !['uuid', 'date', 'date-time'].includes(String(schema.format));
  return isText ? { ...type, rules: [...rules, ['IsStorableText']] } : type;
}

/**
 * Parses a type without `[]` and `?`: `int`, `string(1..80)` or `dog|cat`.
 *
 * @param {string} text
 * @returns {FieldType | undefined} undefined if the type is not valid
 */
export function parseType(text) {
  if (Object.hasOwn(NAMED_TYPES, text)) return NAMED_TYPES[text];
  const [, name, min, max] =
    /^(string|int|number)\((-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?\)$/.exec(text) ?? [];
  if (name === undefined) return parseChoices(text.replace(/^\((.*)\)$/, '$1'));
  return limitType(
    name,
    min === undefined ? undefined : Number(min),
    max === undefined ? undefined : Number(max),
  );
}

/**
 * Limits the length of `string`, or the value of `int` and `number`.
 *
 * @param {string} name
 * @param {number | undefined} min
 * @param {number | undefined} max
 * @returns {FieldType | undefined} undefined if the limits are not valid
 */
function limitType(name, min, max) {
  const type = NAMED_TYPES[name];
  const isString = name === 'string';
  const bounds = [min, max].filter((bound) => bound !== undefined);
  const isValid =
    bounds.length > 0 &&
    (min ?? -Infinity) <= (max ?? Infinity) &&
    bounds.every((bound) => name === 'number' || Number.isSafeInteger(bound)) &&
    bounds.every((bound) => !isString || bound >= 0);
  if (type === undefined || !isValid) return undefined;

  const schema = { ...type.schema };
  const rules = [...type.rules];
  if (min !== undefined) {
    schema[isString ? 'minLength' : 'minimum'] = min;
    rules.push([isString ? 'MinLength' : 'Min', String(min)]);
  }
  if (max !== undefined) {
    schema[isString ? 'maxLength' : 'maximum'] = max;
    rules.push([isString ? 'MaxLength' : 'Max', String(max)]);
  }
  if (isString) {
    const example = 'text'.padEnd(min ?? 0, ' text').slice(0, max);
    return { schema, rules, example, invalidExample: min ? '' : type.invalidExample };
  }
  const example = Math.min(Math.max(Number(type.example), min ?? -Infinity), max ?? Infinity);
  return { schema, rules, example, invalidExample: min === undefined ? Number(max) + 1 : min - 1 };
}

/**
 * @param {string} text choices such as `dog|cat`
 * @returns {FieldType | undefined}
 */
function parseChoices(text) {
  const choices = text.split('|');
  const isValid =
    choices.length > 1 &&
    new Set(choices).size === choices.length &&
    choices.every((choice) => CHOICE.test(choice));
  if (!isValid) return undefined;
  return {
    schema: { type: 'string', enum: choices },
    rules: [['IsIn', JSON.stringify(choices)]],
    example: choices[0],
    // No choice ends in a question mark.
    invalidExample: `${choices[0]}?`,
  };
}
