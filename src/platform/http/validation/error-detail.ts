/** One entry of `detail` in a 422 response, with its keys in the order of the JSON. */
export interface ErrorDetail {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: Record<string, unknown>;
}

/** The error that pydantic reports for a violated rule. */
export type RuleError = Pick<ErrorDetail, 'type' | 'msg' | 'ctx'>;

export const OBJECT_ERROR: RuleError = {
  type: 'model_attributes_type',
  msg: 'Input should be a valid dictionary or object to extract fields from',
};

export const LIST_ERROR: RuleError = { type: 'list_type', msg: 'Input should be a valid list' };

/**
 * Maps the name of a class-validator rule and its arguments to the error that pydantic v2 reports. If a field
 * violates several rules, the first of this list is reported, as pydantic checks types before ranges.
 */
const RULE_ERRORS = new Map<string, (args: unknown[]) => RuleError>(
  Object.entries({
    nestedValidation: () => OBJECT_ERROR,
    isArray: () => LIST_ERROR,
    isString: () => ({ type: 'string_type', msg: 'Input should be a valid string' }),
    isInt: () => ({ type: 'int_type', msg: 'Input should be a valid integer' }),
    isNumber: () => ({ type: 'float_type', msg: 'Input should be a valid number' }),
    isBoolean: () => ({ type: 'bool_type', msg: 'Input should be a valid boolean' }),
    isUuid: () => ({ type: 'uuid_parsing', msg: 'Input should be a valid UUID' }),
    isDateText: () => ({
      type: 'date_from_datetime_parsing',
      msg: 'Input should be a valid date or datetime',
    }),
    isDateTimeText: () => ({
      type: 'datetime_from_date_parsing',
      msg: 'Input should be a valid datetime or date',
    }),
    isEnum: ([, values]) => createChoiceError('enum', values),
    isIn: ([values]) => createChoiceError('literal_error', values),
    minLength: ([n]) => ({
      type: 'string_too_short',
      msg: `String should have at least ${formatCharacters(n)}`,
      ctx: { min_length: n },
    }),
    maxLength: ([n]) => ({
      type: 'string_too_long',
      msg: `String should have at most ${formatCharacters(n)}`,
      ctx: { max_length: n },
    }),
    matches: ([pattern]) => {
      const source = pattern instanceof RegExp ? pattern.source : String(pattern);
      return {
        type: 'string_pattern_mismatch',
        msg: `String should match pattern '${source}'`,
        ctx: { pattern: source },
      };
    },
    min: ([n]) => ({
      type: 'greater_than_equal',
      msg: `Input should be greater than or equal to ${String(n)}`,
      ctx: { ge: n },
    }),
    max: ([n]) => ({
      type: 'less_than_equal',
      msg: `Input should be less than or equal to ${String(n)}`,
      ctx: { le: n },
    }),
  } satisfies Record<string, (args: unknown[]) => RuleError>),
);

/** Names of the rules above, in the order in which they are reported. */
export const RULE_ORDER = [...RULE_ERRORS.keys()];

/**
 * Returns the error that pydantic reports for a rule. A rule that pydantic does not have is reported as
 * `value_error` with class-validator's message.
 */
export function getRuleError(name: string, args: unknown[], getMessage: () => string): RuleError {
  return RULE_ERRORS.get(name)?.(args) ?? { type: 'value_error', msg: getMessage() };
}

/** Adds where a rule was violated and by which value. */
export function createErrorDetail(
  { type, msg, ctx }: RuleError,
  loc: ErrorDetail['loc'],
  input: unknown,
): ErrorDetail {
  return { type, loc, msg, input, ...(ctx && { ctx }) };
}

/** @param input the object in which the field is missing */
export function createMissingError(loc: ErrorDetail['loc'], input: unknown): ErrorDetail {
  return { type: 'missing', loc, msg: 'Field required', input };
}

function formatCharacters(n: unknown): string {
  return `${String(n)} character${n === 1 ? '' : 's'}`;
}

function createChoiceError(type: string, values: unknown): RuleError {
  const names = (Array.isArray(values) ? values : []).map(formatLikePython);
  const last = names.pop() ?? '';
  const expected = names.length > 0 ? `${names.join(', ')} or ${last}` : last;
  return { type, msg: `Input should be ${expected}`, ctx: { expected } };
}

/** Formats a value like Python's `repr()`: strings in single quotes, or in double quotes if needed. */
function formatLikePython(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  return value.includes("'") && !value.includes('"')
    ? `"${value}"`
    : `'${value.replace(/[\\']/g, '\\$&')}'`;
}
