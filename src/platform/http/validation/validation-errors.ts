import { getMetadataStorage, ValidationError, ValidationTypes } from 'class-validator';
import {
  createErrorDetail,
  createMissingError,
  type ErrorDetail,
  getRuleError,
  LIST_ERROR,
  RULE_ORDER,
  type RuleError,
} from './error-detail.js';

/** A class-validator rule of a DTO's field. */
type Rule = ReturnType<
  ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']
>[number];

/**
 * Adds the errors that class-validator does not report: an array in place of a nested DTO, and an object
 * in place of an array of nested DTOs.
 *
 * @param errors result of `validate(dto)`
 */
export function addShapeErrors(dto: object, errors: ValidationError[]): ValidationError[] {
  const all = new Map(errors.map((error) => [error.property, error]));
  const rules = getRules(dto.constructor);
  for (const { type, each = false, propertyName } of rules) {
    const value = (dto as Record<string, unknown>)[propertyName];
    const known = all.get(propertyName);
    if (
      type !== ValidationTypes.NESTED_VALIDATION ||
      typeof value !== 'object' ||
      value === null ||
      hasConstraints(known) ||
      isDisabled(rules, dto, propertyName)
    ) {
      continue;
    }
    const error = Object.assign(new ValidationError(), { property: propertyName, target: dto });
    const items = toItems(value);
    if ((items !== undefined) !== each) {
      error.constraints = { [each ? 'isArray' : 'nestedValidation']: '' };
    } else if (items === undefined) {
      error.children = addShapeErrors(value, known?.children ?? []);
    } else {
      const children = new Map(known?.children?.map((child) => [child.property, child]));
      error.children = items.flatMap((item, i) => getItemErrors(value, item, children, String(i)));
    }
    if (hasConstraints(error) || error.children?.length) all.set(propertyName, error);
  }
  return [...all.values()];
}

/** Returns the items of a value that class-validator validates as an array. */
function toItems(value: object): unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return value instanceof Set || value instanceof Map ? [...value.values()] : undefined;
}

function getItemErrors(
  list: object,
  item: unknown,
  known: Map<string, ValidationError>,
  property: string,
): ValidationError[] {
  const error = known.get(property);
  if (typeof item !== 'object' || item === null || hasConstraints(error)) {
    return error === undefined ? [] : [error];
  }
  const children = addShapeErrors(item, error?.children ?? []);
  return children.length === 0
    ? []
    : [Object.assign(new ValidationError(), { property, target: list, children })];
}

function hasConstraints(error: ValidationError | undefined): boolean {
  return Object.keys(error?.constraints ?? {}).length > 0;
}

/** Returns whether `@ValidateIf` or `@IsOptional` disables the rules of a field. */
function isDisabled(rules: Rule[], dto: object, property: string): boolean {
  return rules
    .filter((rule) => rule.propertyName === property)
    .filter((rule) => rule.type === ValidationTypes.CONDITIONAL_VALIDATION)
    .some(({ constraints }) => {
      const condition = constraints[0] as (dto: object, value: unknown) => boolean;
      return !condition(dto, (dto as Record<string, unknown>)[property]);
    });
}

/**
 * Converts class-validator's errors to FastAPI's format: one entry per invalid field, in the order of the
 * DTO's fields, those of base classes first.
 *
 * @param input the value that the client sent, before it was converted to a DTO
 * @param loc location of that value, such as `['body']`
 */
export async function toErrorDetails(
  errors: ValidationError[],
  input: unknown,
  loc: ErrorDetail['loc'],
): Promise<ErrorDetail[]> {
  const rules = getRules(errors[0]?.target?.constructor);
  const fields = rules.map(({ propertyName }) => propertyName);
  const details = errors
    .toSorted((a, b) => fields.indexOf(a.property) - fields.indexOf(b.property))
    .map((error) => toFieldDetails(error, rules, input, loc));
  return (await Promise.all(details)).flat();
}

const rulesByClass = new WeakMap<object, Rule[]>();

/** Returns the rules of a DTO class's fields, those of base classes first. */
export function getRules(dtoClass: object | undefined): Rule[] {
  if (typeof dtoClass !== 'function') return [];
  let rules = rulesByClass.get(dtoClass);
  if (rules === undefined) {
    rules = getMetadataStorage()
      .getTargetValidationMetadatas(dtoClass, '', false, false)
      .toSorted((a, b) => getClassHierarchy(a.target).length - getClassHierarchy(b.target).length);
    rulesByClass.set(dtoClass, rules);
  }
  return rules;
}

function getClassHierarchy(target: Rule['target']): unknown[] {
  const base: unknown = Object.getPrototypeOf(target);
  return typeof base === 'function' ? [target, ...getClassHierarchy(base)] : [];
}

async function toFieldDetails(
  error: ValidationError,
  rules: Rule[],
  parentInput: unknown,
  parentLoc: ErrorDetail['loc'],
): Promise<ErrorDetail[]> {
  const { property, constraints = {}, children = [] } = error;
  const value: unknown = error.value;
  const loc = [...parentLoc, Array.isArray(parentInput) ? Number(property) : property];
  const container = Object(parentInput) as Record<string, unknown>;
  if (!Object.hasOwn(container, property)) return [createMissingError(loc, parentInput)];
  const input = container[property];
  if (!hasConstraints(error)) return toErrorDetails(children, input, loc);

  const violations = await Promise.all(
    Object.entries(constraints).map(async ([name, message]): Promise<Violation> => {
      const candidates = rules.filter(
        (rule) => rule.propertyName === property && getName(rule) === name,
      );
      return { name, message, rule: await findViolated(candidates, error) };
    }),
  );
  const fieldViolation = selectViolation(violations.filter(({ rule }) => !rule?.each));
  if (fieldViolation) return [createErrorDetail(toRuleError(fieldViolation), loc, input)];
  if (!Array.isArray(value)) return [createErrorDetail(LIST_ERROR, loc, input)];

  // `value` may have been converted. The response contains what the client sent, if that is an array.
  const inputs = Array.isArray(input) ? (input as unknown[]) : value;
  const details = value.map(async (element: unknown, index) => {
    const isValid = await Promise.all(
      violations.map(({ rule }) => satisfies(rule, element, error)),
    );
    const violation = selectViolation(violations.filter((_, i) => !isValid[i]));
    return violation
      ? [createErrorDetail(toRuleError(violation), [...loc, index], inputs[index])]
      : [];
  });
  return (await Promise.all(details)).flat();
}

interface Violation {
  /** Name of the rule. */
  name: string;
  /** class-validator's message. */
  message: string;
  rule: Rule | undefined;
}

function toRuleError({ name, message, rule }: Violation): RuleError {
  return getRuleError(name, rule?.constraints ?? [], message);
}

/** Selects the violation to report: the first in pydantic's order, else the first in the source. */
function selectViolation(violations: Violation[]): Violation | undefined {
  for (const name of RULE_ORDER) {
    const violation = violations.find((candidate) => candidate.name === name);
    if (violation) return violation;
  }
  // Decorators are applied from bottom to top.
  return violations.at(-1);
}

/** Finds the violated rule among rules of the same name on one field, such as two patterns. */
async function findViolated(candidates: Rule[], error: ValidationError): Promise<Rule | undefined> {
  if (candidates.length === 1) return candidates[0];
  for (const rule of candidates.toReversed()) {
    const value: unknown = error.value;
    const elements: unknown[] = rule.each && Array.isArray(value) ? value : [value];
    for (const element of elements) if (!(await satisfies(rule, element, error))) return rule;
  }
  return undefined;
}

/** Applies a rule again, because class-validator does not report which element violates it. */
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
  for (const { instance } of getConstraints(rule)) {
    if (!(await instance.validate(value, args))) return false;
  }
  return true;
}

function getName(rule: Rule): string {
  return getConstraints(rule)[0]?.name ?? rule.type;
}

function getConstraints(rule: Rule) {
  return getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls);
}
