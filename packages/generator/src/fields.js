import { parseType, toStoredType } from './field-types.js';

/** @typedef {import('./field-types.js').Rule} Rule */

/**
 * A field of a request DTO, as the templates need it.
 *
 * @typedef {object} Field
 * @property {string} name
 * @property {string} type the type expression of the payload, such as `string[]?`
 * @property {boolean} isOptional whether the field may be absent or `null`
 * @property {string} tsType
 * @property {string[]} decorators of class-validator
 * @property {string[]} imports from class-validator
 * @property {string[]} platformImports from the validators of the platform
 * @property {Record<string, unknown>} apiProperty options of `@ApiProperty()`
 * @property {unknown} example
 * @property {unknown} invalidExample
 */

/** Rules of the platform. */
const PLATFORM_RULES = /^is(DateText|DateTimeText|StorableText)$/i;

/**
 * Parses a type expression such as `string(1..80)`, `dog|cat`, `int[]`, `int[][]` or `email?`.
 *
 * @param {string} name
 * @param {unknown} expression
 * @param {boolean} [isStored]
 * @returns {Field | undefined} undefined if the expression is not valid
 */
export function parseField(name, expression, isStored = false) {
  if (typeof expression !== 'string') return undefined;
  const [, typeText = '', brackets = '', optional] =
    /^([^[\]?]+)((?:\[\]){0,2})(\?)?$/.exec(expression) ?? [];
  const parsedType = parseType(typeText);
  if (parsedType === undefined) return undefined;
  const type = isStored ? toStoredType(parsedType) : parsedType;
  const isOptional = optional !== undefined;
  const itemTsType = getTsType(type.schema);
  const { decorators, imports } = describeRules(type.rules, brackets, itemTsType);
  let { schema, example } = type;
  for (let depth = brackets.length / 2; depth > 0; depth -= 1) {
    schema = { type: 'array', items: schema };
    example = [example];
  }
  /** @type {Record<string, unknown>} */
  const apiProperty = { ...(isOptional && { nullable: true }), ...schema, example };
  if (!isOptional && isEmittedType(schema.type)) delete apiProperty.type;
  return {
    name,
    type: expression,
    isOptional,
    tsType: `(${itemTsType})${brackets}${isOptional ? ' | null' : ''}`,
    decorators: [...(isOptional ? ['@IsOptional()'] : []), ...decorators],
    imports: [
      ...(isOptional ? ['IsOptional'] : []),
      ...imports.filter((name) => !PLATFORM_RULES.test(name)),
    ],
    platformImports: imports.filter((name) => PLATFORM_RULES.test(name)),
    apiProperty,
    example,
    invalidExample: brackets === '' ? type.invalidExample : 'not a list',
  };
}

/**
 * Converts options such as `name:string` to the fields of a payload.
 *
 * @param {string[]} options
 * @returns {{ fields: Record<string, string>, error?: string }}
 */
export function parseFieldOptions(options) {
  /** @type {Map<string, string>} */
  const fields = new Map();
  let error;
  for (const option of options) {
    const [name = '', type] = option.split(/:(.*)/s);
    if (type === undefined) {
      error ??= `${option}: the type is missing. Use NAME:TYPE, such as name:string.`;
    } else if (fields.has(name)) {
      error ??= `${option}: the name is already used. Use each name once.`;
    } else {
      fields.set(name, type);
    }
  }
  return { fields: Object.fromEntries(fields), error };
}

/**
 * @param {Rule[]} rules the rules of each item
 * @param {string} brackets `[]` for each level of lists
 * @param {string} itemTsType
 */
function describeRules(rules, brackets, itemTsType) {
  const names = rules.map(([name]) => name);
  if (brackets === '') {
    return { decorators: rules.map((rule) => formatDecorator(rule)), imports: names };
  }
  if (brackets === '[]') {
    const decorators = rules.map((rule) => formatDecorator(rule, '{ each: true }'));
    return { decorators: ['@IsArray()', ...decorators], imports: ['IsArray', ...names] };
  }
  // The option `each` of class-validator reaches only one level deep.
  const checks = rules.map(([name, ...args]) => {
    const allArgs = ['item', ...args.filter(isNotEmpty)];
    return `${getFunction(name)}(${allArgs.join(', ')})`;
  });
  const nested = `@ValidateBy({
    name: 'isValidList',
    validator: {
      validate: (list: unknown) => Array.isArray(list) && list.every((item: ${itemTsType}) => ${checks.join(' && ')}),
      defaultMessage: () => 'each value in $property must be a list of valid items',
    },
  }, { each: true })`;
  return {
    decorators: ['@IsArray()', nested],
    imports: ['IsArray', 'ValidateBy', ...names.map(getFunction)],
  };
}

/**
 * @param {Rule} rule
 * @param {string} [validationOptions]
 */
function formatDecorator([name, ...args], validationOptions) {
  const allArgs = validationOptions ? [...args, validationOptions] : args.filter(isNotEmpty);
  return `@${name}(${allArgs.join(', ')})`;
}

/**
 * Returns whether an argument is needed: empty options only precede another argument.
 *
 * @param {string} arg
 */
function isNotEmpty(arg) {
  return arg !== '{}';
}

/**
 * Returns the function of class-validator that checks the same as a decorator.
 *
 * @param {string} decorator
 */
function getFunction(decorator) {
  return decorator === 'IsUrl'
    ? 'isURL'
    : `${decorator.charAt(0).toLowerCase()}${decorator.slice(1)}`;
}

/** @param {import('./field-types.js').FieldType['schema']} schema */
function getTsType({ type, enum: choices }) {
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(' | ');
  return type === 'integer' ? 'number' : type;
}

/**
 * Whether TypeScript emits the type of a property as metadata, so that Swagger needs no `type`.
 *
 * @param {string} type
 */
function isEmittedType(type) {
  return ['string', 'number', 'boolean'].includes(type);
}
