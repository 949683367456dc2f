import type { Type } from '@nestjs/common';
import { TransformationType } from 'class-transformer';
// Not exported by the package. @nestjs/swagger imports it in the same way.
import { defaultMetadataStorage } from 'class-transformer/cjs/storage.js';
import { getMetadataStorage, ValidationTypes } from 'class-validator';
import { getRules } from './validation-errors.js';

type Constraint = ReturnType<
  ReturnType<typeof getMetadataStorage>['getTargetValidatorConstraints']
>[number]['instance'];

interface Rule {
  validator: Constraint;
  constraints: unknown[];
  /** Whether the rule applies to each element of an array. */
  each: boolean;
}

interface Field {
  name: string;
  /** Conditions of `@IsOptional` and `@ValidateIf`. The rules apply if all are true. */
  conditions: ((dto: object, value: unknown) => boolean)[];
  rules: Rule[];
}

/**
 * The rules of a DTO class, collected once. class-validator searches the rules of all classes for each
 * validation, which takes longer with each feature.
 */
export class CompiledDto {
  /** Set when a rule that is not declared as asynchronous returns a promise. */
  private hasAsynchronousRule = false;

  private constructor(
    private readonly dtoClass: Type<object>,
    private readonly fields: Map<string, Field>,
  ) {}

  /**
   * Compiles a DTO class. Returns undefined if it has decorators whose result cannot be decided by
   * applying synchronous rules to a flat value, such as `@Type`, `@Transform` or `@ValidateNested`.
   */
  static compile(dtoClass: Type<object>): CompiledDto | undefined {
    const fields = new Map<string, Field>();
    for (const metadata of getRules(dtoClass)) {
      const { propertyName: name, type, constraints, each } = metadata;
      const field = fields.get(name) ?? { name, conditions: [], rules: [] };
      fields.set(name, field);
      if (type === ValidationTypes.WHITELIST) continue;
      if (type === ValidationTypes.CONDITIONAL_VALIDATION) {
        field.conditions.push(constraints[0] as Field['conditions'][number]);
        continue;
      }
      const validators = getMetadataStorage().getTargetValidatorConstraints(metadata.constraintCls);
      const isSynchronous = validators.every((validator) => !validator.async);
      if (
        type !== ValidationTypes.CUSTOM_VALIDATION ||
        !isSynchronous ||
        metadata.validateIf !== undefined ||
        (metadata.groups as unknown[] | undefined)?.length
      ) {
        return undefined;
      }
      for (const { instance } of validators) {
        field.rules.push({ validator: instance, constraints: metadata.constraints, each });
      }
    }
    const isPlain = !isTransformed(dtoClass, fields) && !hasSpecialProperties(dtoClass, fields);
    return isPlain ? new CompiledDto(dtoClass, fields) : undefined;
  }

  /**
   * Converts a value to an instance of the DTO, as `plainToInstance()` and `validate()` with `whitelist`
   * do. Returns undefined if the value is not certainly valid: a field contains an object, or a rule
   * returned anything but true or threw.
   */
  accept(value: object): object | undefined {
    if (this.hasAsynchronousRule) return undefined;
    try {
      const dto = this.instantiate(value);
      if (dto === undefined) return undefined;
      for (const field of this.fields.values()) {
        if (!this.isValid(field, dto)) return undefined;
      }
      return dto;
    } catch {
      return undefined;
    }
  }

  private instantiate(value: object): Record<string, unknown> | undefined {
    const dto = new this.dtoClass() as Record<string, unknown>;
    // Values that the constructor sets are also removed if no rule allows their keys.
    for (const key of Object.keys(dto)) if (!this.fields.has(key)) Reflect.deleteProperty(dto, key);
    for (const key of Object.keys(value)) {
      if (!this.fields.has(key)) continue;
      // class-transformer does not replace functions.
      if (typeof dto[key] === 'function') return undefined;
      const fieldValue = (value as Record<string, unknown>)[key];
      if (!isFlat(fieldValue)) return undefined;
      dto[key] = Array.isArray(fieldValue) ? [...(fieldValue as unknown[])] : fieldValue;
    }
    return dto;
  }

  private isValid({ name, conditions, rules }: Field, dto: Record<string, unknown>): boolean {
    const value = dto[name];
    // class-validator evaluates all of them.
    if (!conditions.map((condition) => condition(dto, value)).every(Boolean)) return true;
    for (const { validator, constraints, each } of rules) {
      const args = {
        targetName: this.dtoClass.name,
        property: name,
        object: dto,
        value,
        constraints,
      };
      const elements = each && Array.isArray(value) ? (value as unknown[]) : [value];
      for (const element of elements) {
        const result = validator.validate(element, args);
        if (result === true) continue;
        if (typeof result === 'object') {
          this.hasAsynchronousRule = true;
          // class-validator evaluates the rule again, and handles its rejection.
          result.catch(() => undefined);
        }
        return false;
      }
    }
    return true;
  }
}

/** Returns whether class-transformer decorators change any field. */
function isTransformed(dtoClass: Type, fields: Map<string, Field>): boolean {
  const type = TransformationType.PLAIN_TO_CLASS;
  const storage = defaultMetadataStorage;
  return (
    storage.getStrategy(dtoClass) !== 'none' ||
    // Also those of the other direction: class-transformer uses their names in both.
    storage.getExposedMetadatas(dtoClass).length > 0 ||
    storage.getExcludedMetadatas(dtoClass).length > 0 ||
    [...fields.keys()].some(
      (name) =>
        Boolean(storage.findTypeMetadata(dtoClass, name)) ||
        storage.findTransformMetadatas(dtoClass, name, type).length > 0,
    )
  );
}

/** Returns whether the class has accessors, or methods with the name of a field. */
function hasSpecialProperties(dtoClass: Type, fields: Map<string, Field>): boolean {
  let prototype = dtoClass.prototype as object;
  while (prototype !== Object.prototype) {
    const descriptors = Object.entries(Object.getOwnPropertyDescriptors(prototype));
    if (descriptors.some(([name, descriptor]) => 'get' in descriptor || fields.has(name))) {
      return true;
    }
    prototype = Object.getPrototypeOf(prototype) as object;
  }
  return false;
}

/** Returns whether a value is a primitive, or an array of primitives. */
function isFlat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null);
}
