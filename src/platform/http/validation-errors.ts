import { getMetadataStorage, type ValidationError } from 'class-validator';

/** One entry of a 422 answer's `detail`, in the order of its JSON keys. */
export interface ErrorDetail {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: Record<string, unknown>;
}

type Wording = Pick<ErrorDetail, 'type' | 'msg' | 'ctx'>;
type Rule = ReturnType<
  ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']
>[number];

const MODEL_TYPE: Wording = {
  type: 'model_attributes_type',
  msg: 'Input should be a valid dictionary or object to extract fields from',
};
const LIST_TYPE: Wording = { type: 'list_type', msg: 'Input should be a valid list' };

/**
 * What pydantic v2 says where a class-validator rule fails, by the rule's name, from the rule's
 * arguments. The order is pydantic's too: of several rules that a field fails, the first here is
 * the one that is told, so a type comes before a range. A rule that is not here becomes
 * `value_error` with class-validator's own message.
 */
const WORDINGS = new Map<string, (args: unknown[]) => Wording>(
  Object.entries({
    nestedValidation: () => MODEL_TYPE,
    isArray: () => LIST_TYPE,
    isString: () => ({ type: 'string_type', msg: 'Input should be a valid string' }),
    isInt: () => ({ type: 'int_type', msg: 'Input should be a valid integer' }),
    isNumber: () => ({ type: 'float_type', msg: 'Input should be a valid number' }),
    isBoolean: () => ({ type: 'bool_type', msg: 'Input should be a valid boolean' }),
    isEnum: ([, values]) => oneOf('enum', values),
    isIn: ([values]) => oneOf('literal_error', values),
    minLength: ([n]) => ({
      type: 'string_too_short',
      msg: `String should have at least ${characters(n)}`,
      ctx: { min_length: n },
    }),
    maxLength: ([n]) => ({
      type: 'string_too_long',
      msg: `String should have at most ${characters(n)}`,
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
  } satisfies Record<string, (args: unknown[]) => Wording>),
);
const PRECEDENCE = [...WORDINGS.keys()];

function characters(n: unknown): string {
  return `${String(n)} character${n === 1 ? '' : 's'}`;
}

function oneOf(type: string, values: unknown): Wording {
  const names = (values as unknown[]).map(quote);
  const last = names.pop() ?? '';
  const expected = names.length > 0 ? `${names.join(', ')} or ${last}` : last;
  return { type, msg: `Input should be ${expected}`, ctx: { expected } };
}

/** A value as Python's `repr` writes it: a string in single quotes, in double ones if it has such. */
function quote(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  return value.includes("'") && !value.includes('"')
    ? `"${value}"`
    : `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/** The entry for something that should be there and is not. */
export function missing(loc: ErrorDetail['loc'], input: unknown): ErrorDetail {
  return { type: 'missing', loc, msg: 'Field required', input };
}

/** The entry for a value that should be an object and is not. */
export function notAnObject(loc: ErrorDetail['loc'], input: unknown): ErrorDetail {
  return entry(MODEL_TYPE, loc, input);
}

/**
 * Turns class-validator's errors into FastAPI's: one entry for each field that failed, in the order
 * of the DTO's fields, those of its base classes first.
 *
 * @param errors what `validate()` found in a DTO
 * @param sent the value as the client sent it, from which the DTO was made; entries quote it
 * @param loc where that value stood, such as `['body']`
 */
export async function describeErrors(
  errors: ValidationError[],
  sent: unknown,
  loc: ErrorDetail['loc'],
): Promise<ErrorDetail[]> {
  const rules = rulesOf(errors[0]?.target);
  const fields = rules.map(({ propertyName }) => propertyName);
  const described = errors
    .toSorted((a, b) => fields.indexOf(a.property) - fields.indexOf(b.property))
    .map((error) => describeError(error, rules, sent, loc));
  return (await Promise.all(described)).flat();
}

/** The rules on a DTO's fields, those of its base classes first. */
function rulesOf(dto: object | undefined): Rule[] {
  if (dto === undefined || Array.isArray(dto)) return [];
  return getMetadataStorage()
    .getTargetValidationMetadatas(dto.constructor, '', false, false)
    .toSorted((a, b) => inheritance(a.target).length - inheritance(b.target).length);
}

function inheritance(target: Rule['target']): unknown[] {
  const base: unknown = Object.getPrototypeOf(target);
  return typeof base === 'function' ? [target, ...inheritance(base)] : [];
}

async function describeError(
  error: ValidationError,
  rules: Rule[],
  sent: unknown,
  parentLoc: ErrorDetail['loc'],
): Promise<ErrorDetail[]> {
  const { property, constraints = {}, children = [] } = error;
  const loc = [...parentLoc, Array.isArray(sent) ? Number(property) : property];
  const container = sent as Record<string, unknown>;
  if (!Object.hasOwn(container, property)) return [missing(loc, sent)];
  const input = container[property];

  const failed = Object.keys(constraints);
  if (failed.length === 0) return describeErrors(children, input, loc);

  const ruleOf = (name: string) =>
    rules.find((rule) => rule.propertyName === property && nameOf(rule) === name);
  const word = (name: string) =>
    WORDINGS.get(name)?.(ruleOf(name)?.constraints ?? []) ?? {
      type: 'value_error',
      msg: String(constraints[name]),
    };

  const wholeField = mostTelling(failed.filter((name) => !ruleOf(name)?.each));
  if (wholeField !== undefined) return [entry(word(wholeField), loc, input)];
  if (!Array.isArray(input)) return [entry(LIST_TYPE, loc, input)];

  const elements = input.map(async (element: unknown, index) => {
    const holds = await Promise.all(failed.map((name) => satisfies(ruleOf(name), element, error)));
    const name = mostTelling(failed.filter((_, i) => !holds[i]));
    return name === undefined ? [] : [entry(word(name), [...loc, index], element)];
  });
  return (await Promise.all(elements)).flat();
}

function entry(wording: Wording, loc: ErrorDetail['loc'], input: unknown): ErrorDetail {
  const { type, msg, ctx } = wording;
  return { type, loc, msg, input, ...(ctx && { ctx }) };
}

/** Of the rules that failed, the one to tell: pydantic's first, then the first in the source. */
function mostTelling(names: string[]): string | undefined {
  // Decorators register from the bottom up.
  return PRECEDENCE.find((name) => names.includes(name)) ?? names.at(-1);
}

function nameOf(rule: Rule): string {
  return constraintsOf(rule)[0]?.name ?? rule.type;
}

/** Asks a rule again about one element: class-validator only tells that some element failed. */
async function satisfies(
  rule: Rule | undefined,
  value: unknown,
  { target = {}, property }: ValidationError,
): Promise<boolean> {
  if (rule === undefined) return true;
  const args = {
    value,
    constraints: rule.constraints,
    targetName: target.constructor.name,
    object: target,
    property,
  };
  for (const { instance } of constraintsOf(rule)) {
    if (!(await instance.validate(value, args))) return false;
  }
  return true;
}

function constraintsOf(rule: Rule) {
  return getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls);
}
