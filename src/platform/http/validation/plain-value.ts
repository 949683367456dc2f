import type { DtoValidator } from './dto-validator.js';

/** Keys that class-transformer ignores or misuses. */
const OMITTED_KEYS = new Set(['__proto__', 'constructor', 'toString', 'valueOf']);

/**
 * Copies the objects and arrays of a value, because class-transformer and `@Transform` may change them. Omits
 * `constructor`, which class-transformer would use as the class to instantiate, and `toString` and `valueOf`, with
 * which it could not convert an object to a number or a date.
 *
 * @returns the copy, and whether an object has a key such as `toString`, which class-transformer does not copy
 */
export function copyForConversion(value: unknown): { copy: unknown; hasInheritedKeys: boolean } {
  let hasInheritedKeys = false;
  const copy = copyPlainValue(value, (key) => {
    hasInheritedKeys ||= key in Object.prototype;
    return !OMITTED_KEYS.has(key);
  });
  return { copy, hasInheritedKeys };
}

/**
 * Assigns to the fields of free-form JSON, which nothing converts, all keys that the client sent except
 * `__proto__`, with which a feature that merges objects would set a prototype.
 *
 * @param instance what class-transformer created from the value
 */
export function restoreFreeFormFields(
  instance: unknown,
  value: unknown,
  validator: DtoValidator,
): void {
  if (!isObject(instance) || !isObject(value)) return;
  if (instance instanceof Map) {
    for (const [key, element] of instance as Map<string, unknown>) {
      restoreFreeFormFields(element, value[key], validator);
    }
    return;
  }
  if (Array.isArray(instance) || instance instanceof Set) {
    for (const [index, element] of [...(instance as Iterable<unknown>)].entries()) {
      restoreFreeFormFields(element, value[index], validator);
    }
    return;
  }
  for (const field of validator.getFields(instance.constructor).values()) {
    const { name, key, isNested, isConverted, isTransformed } = field;
    if (!Object.hasOwn(instance, name) || !Object.hasOwn(value, key)) continue;
    if (isNested && !isTransformed) restoreFreeFormFields(instance[name], value[key], validator);
    // class-transformer does not replace functions.
    if (!isNested && !isConverted && typeof instance[name] !== 'function') {
      instance[name] = copyPlainValue(value[key], (inner) => inner !== '__proto__');
    }
  }
}

function copyPlainValue(value: unknown, isIncluded: (key: string) => boolean): unknown {
  if (Array.isArray(value)) return value.map((element) => copyPlainValue(element, isIncluded));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => isIncluded(key))
      .map(([key, inner]) => [key, copyPlainValue(inner, isIncluded)]),
  );
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}

function isPlainObject(value: unknown): value is object {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
