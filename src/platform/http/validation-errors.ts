import { getMetadataStorage, ValidationError, ValidationTypes } from 'class-validator';

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
  const names = (Array.isArray(values) ? values : []).map(quote);
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
 * Adds what class-validator lets pass: a list where one nested DTO belongs, whose items it checks,
 * and one object where a list of them belongs.
 *
 * @param dto the DTO that was validated
 * @param errors what `validate()` found in it
 */
export function withWrongShapes(dto: object, errors: ValidationError[]): ValidationError[] {
  const all = new Map(errors.map((error) => [error.property, error]));
  const rules = rulesOf(dto);
  for (const { type, each = false, propertyName } of rules) {
    const value = (dto as Record<string, unknown>)[propertyName];
    const known = all.get(propertyName);
    if (
      type !== ValidationTypes.NESTED_VALIDATION ||
      typeof value !== 'object' ||
      value === null ||
      hasConstraints(known) ||
      isSwitchedOff(rules, dto, propertyName)
    ) {
      continue;
    }
    const error = Object.assign(new ValidationError(), { property: propertyName, target: dto });
    const items = listed(value);
    if ((items !== undefined) !== each) {
      error.constraints = { [each ? 'isArray' : 'nestedValidation']: '' };
    } else if (items === undefined) {
      error.children = withWrongShapes(value, known?.children ?? []);
    } else {
      const children = new Map(known?.children?.map((child) => [child.property, child]));
      error.children = items.flatMap((item, i) => itemErrors(value, item, children, String(i)));
    }
    if (hasConstraints(error) || error.children?.length) all.set(propertyName, error);
  }
  return [...all.values()];
}

/** The items of what class-validator takes for a list. */
function listed(value: object): unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return value instanceof Set || value instanceof Map ? [...value.values()] : undefined;
}

function itemErrors(
  list: object,
  item: unknown,
  known: Map<string, ValidationError>,
  property: string,
): ValidationError[] {
  const error = known.get(property);
  if (typeof item !== 'object' || item === null || hasConstraints(error)) {
    return error === undefined ? [] : [error];
  }
  const children = withWrongShapes(item, error?.children ?? []);
  return children.length === 0
    ? []
    : [Object.assign(new ValidationError(), { property, target: list, children })];
}

function hasConstraints(error: ValidationError | undefined): boolean {
  return Object.keys(error?.constraints ?? {}).length > 0;
}

/** Whether `@ValidateIf` or `@IsOptional` takes a field's rules away. */
function isSwitchedOff(rules: Rule[], dto: object, property: string): boolean {
  return rules
    .filter((rule) => rule.propertyName === property)
    .filter((rule) => rule.type === ValidationTypes.CONDITIONAL_VALIDATION)
    .some(({ constraints }) => {
      const condition = constraints[0] as (dto: object, value: unknown) => boolean;
      return !condition(dto, (dto as Record<string, unknown>)[property]);
    });
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

const rulesByClass = new WeakMap<object, Rule[]>();

/** The rules on a DTO's fields, those of its base classes first. */
function rulesOf(dto: object | undefined): Rule[] {
  if (dto === undefined || Array.isArray(dto)) return [];
  let rules = rulesByClass.get(dto.constructor);
  if (rules === undefined) {
    rules = getMetadataStorage()
      .getTargetValidationMetadatas(dto.constructor, '', false, false)
      .toSorted((a, b) => inheritance(a.target).length - inheritance(b.target).length);
    rulesByClass.set(dto.constructor, rules);
  }
  return rules;
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
  const value: unknown = error.value;
  const loc = [...parentLoc, Array.isArray(sent) ? Number(property) : property];
  const container = Object(sent) as Record<string, unknown>;
  if (!Object.hasOwn(container, property)) return [missing(loc, sent)];
  const input = container[property];
  if (!hasConstraints(error)) return describeErrors(children, input, loc);

  const failed = await Promise.all(
    Object.entries(constraints).map(async ([name, message]): Promise<Failure> => {
      const candidates = rules.filter(
        (rule) => rule.propertyName === property && nameOf(rule) === name,
      );
      return { name, message, rule: await failing(candidates, error) };
    }),
  );
  const wholeField = mostTelling(failed.filter(({ rule }) => !rule?.each));
  if (wholeField) return [entry(word(wholeField), loc, input)];
  if (!Array.isArray(value)) return [entry(LIST_TYPE, loc, input)];

  // What was validated may differ from what was sent: entries quote what was sent, where they can.
  const items = Array.isArray(input) ? (input as unknown[]) : value;
  const elements = value.map(async (element: unknown, index) => {
    const holds = await Promise.all(failed.map(({ rule }) => satisfies(rule, element, error)));
    const failure = mostTelling(failed.filter((_, i) => !holds[i]));
    return failure ? [entry(word(failure), [...loc, index], items[index])] : [];
  });
  return (await Promise.all(elements)).flat();
}

/** A rule that a field failed, and class-validator's message about it. */
interface Failure {
  name: string;
  message: string;
  rule: Rule | undefined;
}

function word({ name, message, rule }: Failure): Wording {
  return WORDINGS.get(name)?.(rule?.constraints ?? []) ?? { type: 'value_error', msg: message };
}

function entry(wording: Wording, loc: ErrorDetail['loc'], input: unknown): ErrorDetail {
  const { type, msg, ctx } = wording;
  return { type, loc, msg, input, ...(ctx && { ctx }) };
}

/** Of the rules that failed, the one to tell: pydantic's first, then the first in the source. */
function mostTelling(failures: Failure[]): Failure | undefined {
  for (const name of PRECEDENCE) {
    const failure = failures.find((one) => one.name === name);
    if (failure) return failure;
  }
  // Decorators register from the bottom up.
  return failures.at(-1);
}

/** Of the rules of one name on a field, such as two patterns, the one that failed. */
async function failing(candidates: Rule[], error: ValidationError): Promise<Rule | undefined> {
  if (candidates.length === 1) return candidates[0];
  for (const rule of candidates.toReversed()) {
    const value: unknown = error.value;
    const values: unknown[] = rule.each && Array.isArray(value) ? value : [value];
    for (const one of values) if (!(await satisfies(rule, one, error))) return rule;
  }
  return undefined;
}

/** Asks a rule again: class-validator tells neither which of two nor which element failed. */
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

function nameOf(rule: Rule): string {
  return constraintsOf(rule)[0]?.name ?? rule.type;
}

function constraintsOf(rule: Rule) {
  return getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls);
}
