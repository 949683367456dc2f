import { isNativeError } from 'node:util/types';
import type { TransformFnParams } from 'class-transformer';
// Not exported by the package. @nestjs/swagger imports it in the same way.
import { defaultMetadataStorage as storage } from 'class-transformer/cjs/storage.js';

type TransformFunction = (params: TransformFnParams) => unknown;

/** Private properties of class-transformer's class. */
interface Internals {
  _transformMetadatas: Map<unknown, Map<string, { transformFn: TransformFunction }[]>>;
}

const marked = new WeakSet<TransformFunction>();
const errors = new WeakSet();

/** Makes {@link isTransformError} recognize what the functions of all `@Transform` decorators throw. */
export function markTransformErrors(): void {
  const { _transformMetadatas: metadataByClass } = storage as unknown as Internals;
  for (const metadataByProperty of metadataByClass.values()) {
    for (const metadata of [...metadataByProperty.values()].flat()) {
      // Nest's mapped types copy functions that are already marked.
      if (!marked.has(metadata.transformFn)) metadata.transformFn = mark(metadata.transformFn);
    }
  }
}

/** Returns whether a `@Transform` of a feature has thrown an error, and not class-transformer itself. */
export function isTransformError(error: object): boolean {
  return errors.has(error);
}

function mark(transform: TransformFunction): TransformFunction {
  const markingTransform: TransformFunction = (params) => {
    try {
      return transform(params);
    } catch (error) {
      if (isNativeError(error)) errors.add(error);
      throw error;
    }
  };
  marked.add(markingTransform);
  return markingTransform;
}
