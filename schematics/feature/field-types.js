/** @typedef {[decorator: string, ...args: string[]]} Rule a class-validator decorator */

/**
 * @typedef {object} FieldType
 * @property {{ type: string, format?: string, enum?: string[] }} schema its OpenAPI schema
 * @property {Rule[]} rules
 * @property {unknown} example
 * @property {unknown} invalidExample
 */

/**
 * A field of a request DTO, as the templates need it.
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {string} type the type expression of the payload, such as `string[]?`
 * @property {boolean} isOptional
 * @property {string} tsType
 * @property {string[]} decorators
 * @property {string[]} imports the class-validator decorators in use
 * @property {Record<string, unknown>} apiProperty the options of `@ApiProperty()`
 * @property {unknown} example
 * @property {unknown} invalidExample
 */

const URL_OPTIONS = "{ protocols: ['http', 'https'], require_protocol: true, require_tld: false }";

/** @type {Record<string, FieldType>} */
const FIELD_TYPES = {
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
  'date-time': {
    schema: { type: 'string', format: 'date-time' },
    rules: [['IsRFC3339']],
    example: '2026-01-31T12:00:00.000Z',
    invalidExample: 'yesterday',
  },
  email: {
    schema: { type: 'string', format: 'email' },
    rules: [['IsEmail', '{}']],
    example: 'rex@example.com',
    invalidExample: 'rex',
  },
  uuid: {
    schema: { type: 'string', format: 'uuid' },
    rules: [['IsUUID', "'all'"]],
    example: '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c11',
    invalidExample: 'rex',
  },
  url: {
    schema: { type: 'string', format: 'uri' },
    rules: [['IsUrl', URL_OPTIONS]],
    example: 'https://example.com/rex',
    invalidExample: 'rex',
  },
};

export const FIELD_TYPE_NAMES = Object.keys(FIELD_TYPES);

/**
 * Parses a type expression such as `string`, `dog|cat`, `int[]` or `email?`.
 *
 * @param {string} name
 * @param {unknown} type
 * @returns {Field | undefined} undefined if the type is not valid
 */
export function parseField(name, type) {
  if (typeof type !== 'string') return undefined;
  const [, base = '', list, optional] = /^([^[\]?]+)(\[\])?(\?)?$/.exec(type) ?? [];
  const fieldType = Object.hasOwn(FIELD_TYPES, base) ? FIELD_TYPES[base] : parseChoices(base);
  if (fieldType === undefined) return undefined;
  return describeField({ name, type }, fieldType, list !== undefined, optional !== undefined);
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
    choices.every((choice) => /^[A-Za-z0-9]([A-Za-z0-9 _.-]*[A-Za-z0-9])?$/.test(choice));
  if (!isValid) return undefined;
  return {
    schema: { type: 'string', enum: choices },
    rules: [['IsIn', JSON.stringify(choices)]],
    example: choices[0],
    invalidExample: `not ${choices[0]}`,
  };
}

/**
 * @param {Pick<Field, 'name' | 'type'>} field
 * @param {FieldType} fieldType the type of the field, or of each item of a list
 * @param {boolean} isList
 * @param {boolean} isOptional
 * @returns {Field}
 */
function describeField(field, { schema, rules, ...examples }, isList, isOptional) {
  const { type, ...constraints } = schema;
  const itemType = formatTsType(schema);
  const example = isList ? [examples.example] : examples.example;
  // Swagger reads the type of the property only where TypeScript emits it as metadata.
  const isTypeInferred = !isOptional && !schema.enum && type !== 'integer';
  return {
    ...field,
    isOptional,
    tsType: isList ? `(${itemType})[]` : itemType,
    decorators: [
      ...(isOptional ? ['@IsOptional()'] : []),
      ...(isList ? ['@IsArray()'] : []),
      ...rules.map((rule) => formatDecorator(rule, isList)),
    ],
    imports: [
      ...(isOptional ? ['IsOptional'] : []),
      ...(isList ? ['IsArray'] : []),
      ...rules.map(([name]) => name),
    ],
    apiProperty: {
      ...(isOptional && { required: false }),
      ...(isList
        ? { type: 'array', items: schema }
        : { ...(!isTypeInferred && { type }), ...constraints }),
      example,
    },
    example,
    invalidExample: isList ? 'not a list' : examples.invalidExample,
  };
}

/** @param {FieldType['schema']} schema */
function formatTsType({ type, enum: choices }) {
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(' | ');
  return type === 'integer' ? 'number' : type;
}

/**
 * @param {Rule} rule
 * @param {boolean} isEach whether the rule applies to each item of a list
 */
function formatDecorator([name, ...args], isEach) {
  // Empty options only keep the position of the next argument.
  const allArgs = isEach ? [...args, '{ each: true }'] : args.filter((arg) => arg !== '{}');
  return `@${name}(${allArgs.join(', ')})`;
}
