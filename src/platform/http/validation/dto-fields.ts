import type { Type } from '@nestjs/common';
import { TransformationType, type TypeMetadata } from 'class-transformer';
// Not exported by the package. @nestjs/swagger imports it in the same way.
import { defaultMetadataStorage as storage } from 'class-transformer/cjs/storage.js';
import * as classValidator from 'class-validator';
import type { ValidatorConstraintInterface } from 'class-validator';
import { StartupError } from '../../startup-error.js';
import { RULE_ORDER } from './error-detail.js';

const { getMetadataStorage, ValidationTypes } = classValidator;

/** The metadata of a class-validator decorator. */
type RuleMetadata = ReturnType<
  ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']
>[number];

/** Creates the objects that implement rules. */
export interface RuleContainer {
  get<T extends object>(constraintClass: Type<T>): T;
}

/** A condition of `@IsOptional`, of `@ValidateIf`, or of a rule's option `validateIf`. */
type Condition = (dto: object, value: unknown) => boolean;

export interface Rule {
  name: string;
  validator: ValidatorConstraintInterface;
  constraints: unknown[];
  message: RuleMetadata['message'] | undefined;
  condition: Condition | undefined;
  isAsynchronous: boolean;
  /** Whether class-validator implements it, and not a feature. */
  isBuiltIn: boolean;
  hasGroups: boolean;
}

/** A property of a DTO that has class-validator decorators. */
export interface Field {
  name: string;
  /** The key in the request: the name in `@Expose()`, or the name of the property. */
  key: string;
  /** The rules apply if all are true. */
  conditions: Condition[];
  /** The rules of the value, in the order in which they are reported. */
  rules: Rule[];
  /** The rules of each element of the value, in the order in which they are reported. */
  elementRules: Rule[];
  /** Whether `@ValidateNested` validates the value, or its elements, as an object with its own rules. */
  isNested: boolean;
  isList: boolean;
  /** Whether `@ValidatePromise` validates what a promise resolves to. */
  isPromise: boolean;
  /** Whether `@Type` or `@Transform` converts the value. */
  isConverted: boolean;
  /** Whether `@Transform` converts the value. */
  isTransformed: boolean;
  /** The declared type of the property, as far as TypeScript emits it. */
  designType: unknown;
}

/** The names of class-validator's own rules, which it exports as constants such as `IS_EMAIL`. */
const BUILT_IN_RULES = new Set<unknown>(
  Object.values(classValidator).filter((value) => typeof value === 'string'),
);

/** The names of the rules that only arrays satisfy. */
const ARRAY_RULES = /^(isA|a)rray/;

/** Returns whether a class, or a class that it extends, has class-validator decorators. */
export function hasRules(value: unknown): value is Type<object> {
  return getMetadata(value).length > 0;
}

/**
 * Collects the fields of a DTO class by their names, the fields of base classes first.
 *
 * @throws StartupError if nothing creates the nested object of a field
 */
export function collectFields(dtoClass: unknown, container: RuleContainer): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const metadata of getMetadata(dtoClass)) {
    const { propertyName: name, each } = metadata;
    const field = fields.get(name) ?? createField(dtoClass as Type, name);
    fields.set(name, field);
    if (metadata.type === ValidationTypes.CONDITIONAL_VALIDATION) {
      field.conditions.push(metadata.constraints[0] as Condition);
    } else if (metadata.type === ValidationTypes.NESTED_VALIDATION) {
      field.isNested = true;
      field.isList ||= each;
    } else if (metadata.type === ValidationTypes.PROMISE_VALIDATION) {
      field.isPromise = true;
    }
    const rules = createRules(metadata, container);
    (each ? field.elementRules : field.rules).push(...rules);
    field.isList ||=
      (each && rules.length > 0) || rules.some((rule) => ARRAY_RULES.test(rule.name));
  }
  for (const field of fields.values()) {
    assertNestedType(dtoClass as Type, field);
    sortRules(field.rules);
    sortRules(field.elementRules);
  }
  return fields;
}

/** Returns the possible classes of a field's nested objects. */
export function findNestedClasses(dtoClass: unknown, { name, isNested }: Field): unknown[] {
  if (!isNested) return [];
  const metadata = storage.findTypeMetadata(dtoClass as Type, name) as TypeMetadata | undefined;
  const subTypes = metadata?.options.discriminator?.subTypes ?? [];
  return [getType(metadata), ...subTypes.map(({ value }) => value)].filter(hasRules);
}

/** Returns undefined if the type depends on a value of a request. */
function getType(metadata: TypeMetadata | undefined): unknown {
  try {
    return metadata?.typeFunction();
  } catch {
    return undefined;
  }
}

/** Without `@Type` or `@Transform`, a nested object has no rules, and so all its keys would be removed. */
function assertNestedType(
  { name: dtoName }: Type,
  { name, isNested, isConverted, designType }: Field,
): void {
  if (!isNested || isConverted) return;
  const nested = hasRules(designType) ? designType.name : 'NestedDto';
  throw new StartupError(
    `${dtoName}.${name} has @ValidateNested() but no @Type(). Add @Type(() => ${nested}).`,
  );
}

const metadataByClass = new WeakMap<object, RuleMetadata[]>();

/** Returns the decorators of a class, after the decorators of its base classes. class-validator searches all classes. */
function getMetadata(dtoClass: unknown): RuleMetadata[] {
  if (typeof dtoClass !== 'function') return [];
  let metadata = metadataByClass.get(dtoClass);
  if (metadata === undefined) {
    metadata = getMetadataStorage()
      .getTargetValidationMetadatas(dtoClass, '', false, false)
      .toSorted((a, b) => getClassHierarchy(a.target).length - getClassHierarchy(b.target).length);
    metadataByClass.set(dtoClass, metadata);
  }
  return metadata;
}

function getClassHierarchy(target: RuleMetadata['target']): unknown[] {
  const base: unknown = Object.getPrototypeOf(target);
  return typeof base === 'function' ? [target, ...getClassHierarchy(base)] : [];
}

function createField(dtoClass: Type, name: string): Field {
  const exposed = storage.findExposeMetadata(dtoClass, name) as
    { options?: { name?: string } } | undefined;
  const designType: unknown = Reflect.getMetadata(
    'design:type',
    dtoClass.prototype as object,
    name,
  );
  const { PLAIN_TO_CLASS } = TransformationType;
  const isTransformed = storage.findTransformMetadatas(dtoClass, name, PLAIN_TO_CLASS).length > 0;
  return {
    name,
    key: exposed?.options?.name ?? name,
    conditions: [],
    rules: [],
    elementRules: [],
    isNested: false,
    isList: designType === Array,
    isPromise: false,
    isConverted: isTransformed || Boolean(storage.findTypeMetadata(dtoClass, name)),
    isTransformed,
    designType,
  };
}

function createRules(metadata: RuleMetadata, container: RuleContainer): Rule[] {
  const { type, constraintCls, groups } = metadata;
  return getMetadataStorage()
    .getTargetValidatorConstraints(constraintCls)
    .map((constraint) => {
      const name = constraint.name || type;
      return {
        name,
        validator: container.get(constraint.target as Type<ValidatorConstraintInterface>),
        constraints: metadata.constraints,
        message: metadata.message,
        condition: metadata.validateIf,
        isAsynchronous: constraint.async,
        isBuiltIn: BUILT_IN_RULES.has(name),
        hasGroups: ((groups as unknown[] | undefined) ?? []).length > 0,
      };
    });
}

/** Sorts rules in pydantic's order. The others follow in the order of the source. */
function sortRules(rules: Rule[]): void {
  const getRank = ({ name }: Rule) => {
    const index = RULE_ORDER.indexOf(name);
    return index === -1 ? RULE_ORDER.length : index;
  };
  // Decorators are applied from bottom to top.
  rules.reverse().sort((a, b) => getRank(a) - getRank(b));
}
