import { ARRAY_UNIQUE, type ValidationArguments } from 'class-validator';
import { ValidationUtils } from 'class-validator/cjs/validation/ValidationUtils.js';
import {
  collectFields,
  type Field,
  findNestedClasses,
  type Rule,
  type RuleContainer,
} from './dto-fields.js';
import {
  createErrorDetail,
  createMissingError,
  type ErrorDetail,
  getRuleError,
  LIST_ERROR,
  OBJECT_ERROR,
  type RuleError,
} from './error-detail.js';
import { getParameterError, getUnparsedError } from './parameter-types.js';

/** A value of the request, as the client sent it. */
interface Input {
  value: unknown;
  loc: ErrorDetail['loc'];
  /** Whether it is a query or path, whose values are strings. */
  isParameters?: boolean;
}

/**
 * Applies class-validator's rules to instances of DTOs, and reports violations in FastAPI's format.
 *
 * Unlike class-validator's `validate()`,
 *
 * - it checks the rules of a value in pydantic's order and stops at the first violation, so that a feature's own rule
 *   sees only values that satisfy the rules of class-validator;
 * - it reports which element of a list violates a rule;
 * - it creates constraints in the application's own container.
 */
export class DtoValidator {
  private readonly fieldsByClass = new Map<unknown, Map<string, Field>>();

  constructor(private readonly container: RuleContainer) {}

  /**
   * Returns the fields of a DTO class, and collects the fields of its nested DTOs.
   *
   * @throws StartupError if the decorators of one of these classes are invalid
   */
  getFields(dtoClass: unknown): Map<string, Field> {
    const known = this.fieldsByClass.get(dtoClass);
    if (known !== undefined) return known;
    const fields = collectFields(dtoClass, this.container);
    // Before the fields of nested DTOs, which may contain this one.
    this.fieldsByClass.set(dtoClass, fields);
    for (const field of fields.values()) {
      for (const nested of findNestedClasses(dtoClass, field)) this.getFields(nested);
    }
    return fields;
  }

  /**
   * Removes the keys that the DTO does not declare, and returns the errors: one for each invalid field, in the
   * order of the DTO's fields.
   *
   * @param input the value from which the DTO was created
   */
  async findErrors(dto: object, input: Input): Promise<ErrorDetail[]> {
    const fields = this.getFields(dto.constructor);
    for (const key of Object.keys(dto)) if (!fields.has(key)) Reflect.deleteProperty(dto, key);
    const details = [...fields.values()].map((field) => this.findFieldErrors(field, dto, input));
    return (await Promise.all(details)).flat();
  }

  private async findFieldErrors(
    field: Field,
    dto: object,
    { value: parent, loc, isParameters }: Input,
  ): Promise<ErrorDetail[]> {
    let value = (dto as Record<string, unknown>)[field.name];
    if (field.isPromise) value = await value;
    // class-validator evaluates all of them.
    if (!field.conditions.map((condition) => condition(dto, value)).every(Boolean)) return [];
    const container = toRecord(parent);
    const isSent = Object.hasOwn(container, field.key);
    const errors = await this.findValueErrors(field, dto, value, {
      value: isSent ? container[field.key] : value,
      loc: [...loc, field.key],
      isParameters,
    });
    // `@Transform` may have created the object from another value, such as a string that contains JSON.
    const isMissing = !isSent && (value === undefined || container === parent);
    return errors.length > 0 && isMissing
      ? [createMissingError([...loc, field.key], parent)]
      : errors;
  }

  private async findValueErrors(
    field: Field,
    dto: object,
    value: unknown,
    input: Input,
  ): Promise<ErrorDetail[]> {
    const args = {
      targetName: dto.constructor.name,
      property: field.name,
      object: dto,
      value,
      constraints: [],
    };
    const typeError =
      (field.isNested ? findShapeError(field, value) : undefined) ??
      (input.isParameters ? getUnparsedError(field, value) : undefined);
    if (typeError) return [createErrorDetail(typeError, input.loc, input.value)];
    const early = await findViolated(field.rules.filter(isSelfContained), value, args);
    if (early) return [createRuleErrorDetail(early, args, input)];
    const inner = await this.findInnerErrors(field, value, args, input);
    if (inner.length > 0) return inner;
    const late = await findViolated(field.rules.filter(callsFeature), value, args);
    return late ? [createRuleErrorDetail(late, args, input)] : [];
  }

  /** Finds the errors of a value's elements, or of the fields of a nested object. */
  private async findInnerErrors(
    field: Field,
    value: unknown,
    args: ValidationArguments,
    input: Input,
  ): Promise<ErrorDetail[]> {
    const elements = toElements(value);
    if (elements !== undefined) {
      // `elements` may have been converted. Errors contain what the client sent, if that has elements.
      const inputs = toRecord(input.value);
      const details = elements.map(([key, element]) =>
        this.findElementErrors(field, element, args, {
          ...input,
          value: Object.hasOwn(inputs, key) ? inputs[key] : element,
          loc: [...input.loc, key],
        }),
      );
      return (await Promise.all(details)).flat();
    }
    if (await findViolated(field.elementRules, value, args)) {
      return [createErrorDetail(LIST_ERROR, input.loc, input.value)];
    }
    return field.isNested && value !== undefined
      ? this.findErrors(value as object, { value: input.value, loc: input.loc })
      : [];
  }

  private async findElementErrors(
    field: Field,
    element: unknown,
    args: ValidationArguments,
    input: Input,
  ): Promise<ErrorDetail[]> {
    const early = await findViolated(field.elementRules.filter(isSelfContained), element, args);
    if (early) return [createRuleErrorDetail(early, args, input)];
    const inner = await this.findNestedErrors(field, element, args, input);
    if (inner.length > 0) return inner;
    const late = await findViolated(field.elementRules.filter(callsFeature), element, args);
    return late ? [createRuleErrorDetail(late, args, input)] : [];
  }

  private async findNestedErrors(
    field: Field,
    element: unknown,
    args: ValidationArguments,
    input: Input,
  ): Promise<ErrorDetail[]> {
    if (!field.isNested || element === undefined) return [];
    if (typeof element !== 'object' || element === null) {
      return [createErrorDetail(OBJECT_ERROR, input.loc, input.value)];
    }
    return this.findInnerErrors({ ...field, elementRules: [] }, element, args, input);
  }
}

/** Returns whether a rule calls code of a feature, which may rely on valid elements and nested objects. */
function callsFeature({ isBuiltIn, name }: Rule): boolean {
  return !isBuiltIn || name === ARRAY_UNIQUE;
}

function isSelfContained(rule: Rule): boolean {
  return !callsFeature(rule);
}

function toRecord(value: unknown): Record<string | number, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Returns the error of a nested value that is not an object or a list, as the field requires. */
function findShapeError({ isList }: Field, value: unknown): RuleError | undefined {
  if (value === undefined) return undefined;
  const hasElements = toElements(value) !== undefined;
  if (isList) return hasElements ? undefined : LIST_ERROR;
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? undefined : OBJECT_ERROR;
}

/** Returns the elements of a value that class-validator validates as a list, with their `loc`. */
function toElements(value: unknown): [string | number, unknown][] | undefined {
  if (value instanceof Map) return [...(value as Map<string, unknown>)];
  const list = value instanceof Set ? [...(value as Set<unknown>)] : value;
  return Array.isArray(list) ? [...(list as unknown[]).entries()] : undefined;
}

async function findViolated(
  rules: Rule[],
  value: unknown,
  args: ValidationArguments,
): Promise<Rule | undefined> {
  for (const rule of rules) {
    const isViolated = violates(rule, value, args);
    if (isViolated === true || (isViolated && (await isViolated))) return rule;
  }
  return undefined;
}

function violates(
  { validator, constraints, condition, isBuiltIn }: Rule,
  value: unknown,
  args: ValidationArguments,
): boolean | Promise<boolean> {
  if (condition && !condition(args.object, args.value)) return false;
  try {
    const result = validator.validate(value, { ...args, constraints });
    return typeof result === 'object' ? result.then((isValid) => !isValid) : !result;
  } catch (error) {
    // @IsEmail and @IsByteLength throw on lone surrogates.
    if (isBuiltIn && error instanceof URIError) return true;
    throw error;
  }
}

function createRuleErrorDetail(
  { name, validator, constraints, message }: Rule,
  args: ValidationArguments,
  { value, loc, isParameters }: Input,
): ErrorDetail {
  const error =
    (isParameters && typeof value === 'string'
      ? getParameterError(name, constraints, value)
      : undefined) ??
    getRuleError(name, constraints, () => {
      const ruleArgs = { ...args, constraints };
      return ValidationUtils.replaceMessageSpecialTokens(
        message ?? validator.defaultMessage?.(ruleArgs) ?? '',
        ruleArgs,
      );
    });
  return createErrorDetail(error, loc, value);
}
