import type { Field, Rule } from './dto-fields.js';
import { RULE_ORDER, type RuleError } from './error-detail.js';

/** How pydantic parses a string of a query or path. */
interface ParameterType {
  /** Returns undefined if the text cannot be parsed. */
  parse: (text: string, constraints: unknown[]) => unknown;
  /** Returns the error of a string that violates the rule, or undefined if it is the same as in a body. */
  getError: (text: string, constraints: unknown[]) => RuleError | undefined;
}

const INTEGER = /^[+-]?\d+(?:_\d+)*(?:\.0+)?$/;
const FLOAT =
  /^[+-]?(?:(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?|inf(?:inity)?|nan)$/i;
const BOOLEAN = /^(?:(true|1|yes|on|t|y)|false|0|no|off|f|n)$/i;
const UUID_WRAPPING = /^urn:uuid:|^\{(.*)\}$/i;
const UUID = /^([\da-f]{8})(-?)([\da-f]{4})\2([\da-f]{4})\2([\da-f]{4})\2([\da-f]{12})$/;

/** The types by the class-validator rule that declares them. */
const PARAMETER_TYPES = new Map<string, ParameterType>(
  Object.entries({
    isString: { parse: (text) => text, getError: () => undefined },
    isInt: {
      parse: parseInteger,
      getError: (text) => {
        if (parseInteger(text) !== undefined) return undefined;
        return INTEGER.test(text.trim())
          ? {
              type: 'int_parsing_size',
              msg: 'Unable to parse input string as an integer, exceeded maximum size',
            }
          : {
              type: 'int_parsing',
              msg: 'Input should be a valid integer, unable to parse string as an integer',
            };
      },
    },
    isNumber: {
      parse: parseNumber,
      getError: (text) => {
        const value = parseNumber(text);
        if (value === undefined) {
          return {
            type: 'float_parsing',
            msg: 'Input should be a valid number, unable to parse string as a number',
          };
        }
        return Number.isFinite(value)
          ? undefined
          : { type: 'finite_number', msg: 'Input should be a finite number' };
      },
    },
    isBoolean: {
      parse: parseBoolean,
      getError: (text) =>
        parseBoolean(text) === undefined
          ? {
              type: 'bool_parsing',
              msg: 'Input should be a valid boolean, unable to interpret input',
            }
          : undefined,
    },
    isEnum: { parse: (text, [, values]) => findChoice(text, values), getError: () => undefined },
    isIn: { parse: (text, [values]) => findChoice(text, values), getError: () => undefined },
    isUuid: {
      parse: parseUuid,
      getError: (text, [version]) =>
        parseUuid(text) === undefined || !/^\d$/.test(String(version))
          ? { type: 'uuid_parsing', msg: 'Input should be a valid UUID' }
          : {
              type: 'uuid_version',
              msg: `UUID version ${String(version)} expected`,
              ctx: { expected_version: Number(version) },
            },
    },
  } satisfies Record<string, ParameterType>),
);

/** The rule that declares the type of a field without such a rule, by its TypeScript type. */
const DESIGN_TYPE_RULES = new Map<unknown, string>([
  [Number, 'isNumber'],
  [Boolean, 'isBoolean'],
]);

/**
 * Reads the query or path of a DTO as FastAPI does: of a repeated parameter, a list has all values, and other
 * fields have the last one.
 *
 * @returns the parameters as errors contain them, and the values that their types parse. Text that cannot be
 *   parsed stays a string, which violates the rule that declares the type.
 */
export function readParameters(
  fields: Iterable<Field>,
  parameters: object,
): { input: object; value: object } {
  const rest = new Map<string, unknown>(Object.entries(parameters));
  // Without a prototype, because `__proto__` is a possible key.
  const input = Object.create(null) as Record<string, unknown>;
  const value = Object.create(null) as Record<string, unknown>;
  for (const field of fields) {
    const { key } = field;
    if (!rest.has(key)) continue;
    input[key] = selectValues(field, rest.get(key));
    value[key] = field.isConverted ? input[key] : parseValues(field, input[key]);
    rest.delete(key);
  }
  for (const [key, unknown] of rest) input[key] = unknown;
  return { input, value };
}

/** Returns the error of a field of a query or path whose TypeScript type alone declares its type. */
export function getUnparsedError(field: Field, value: unknown): RuleError | undefined {
  if (typeof value !== 'string' || field.isConverted || findTypeRule(field)) return undefined;
  return getParameterError(DESIGN_TYPE_RULES.get(field.designType) ?? '', [], value);
}

/** Returns the error of a string in a query or path that violates a rule, if it differs from that in a body. */
export function getParameterError(
  name: string,
  constraints: unknown[],
  text: string,
): RuleError | undefined {
  return PARAMETER_TYPES.get(name)?.getError(text, constraints);
}

function selectValues(field: Field, value: unknown): unknown {
  if (field.isConverted || field.isNested) return value;
  if (field.isList) return Array.isArray(value) ? value : [value];
  return Array.isArray(value) && isScalar(field) ? value.at(-1) : value;
}

function isScalar({ rules, designType }: Field): boolean {
  return (
    designType === String ||
    DESIGN_TYPE_RULES.has(designType) ||
    rules.some(({ name }) => PARAMETER_TYPES.has(name) || RULE_ORDER.includes(name))
  );
}

function parseValues(field: Field, value: unknown): unknown {
  const rule = findTypeRule(field);
  const name = rule?.name ?? (field.isList ? undefined : DESIGN_TYPE_RULES.get(field.designType));
  const type = PARAMETER_TYPES.get(name ?? '');
  if (type === undefined) return value;
  const parse = (text: unknown) =>
    typeof text === 'string' ? (type.parse(text, rule?.constraints ?? []) ?? text) : text;
  return Array.isArray(value) ? value.map(parse) : parse(value);
}

function findTypeRule({ isList, rules, elementRules }: Field): Rule | undefined {
  return (isList ? elementRules : rules).find(({ name }) => PARAMETER_TYPES.has(name));
}

/** Integers that a JavaScript number cannot represent are rejected, because they would be changed. */
function parseInteger(text: string): number | undefined {
  const trimmed = text.trim();
  const value = INTEGER.test(trimmed) ? toNumber(trimmed) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  if (!FLOAT.test(trimmed)) return undefined;
  if (/nan$/i.test(trimmed)) return NaN;
  return toNumber(trimmed.replace(/inf.*$/i, 'Infinity'));
}

function toNumber(text: string): number {
  // Without the sum, "-0" would be negative zero.
  return Number(text.replaceAll('_', '')) + 0;
}

function parseBoolean(text: string): boolean | undefined {
  const match = BOOLEAN.exec(text);
  return match ? match[1] !== undefined : undefined;
}

/** Returns the UUID in lower case with hyphens. */
function parseUuid(text: string): string | undefined {
  const match = UUID.exec(text.toLowerCase().replace(UUID_WRAPPING, '$1'));
  return match ? [match[1], ...match.slice(3)].join('-') : undefined;
}

function findChoice(text: string, choices: unknown): unknown {
  return Array.isArray(choices) ? choices.find((choice) => String(choice) === text) : undefined;
}
