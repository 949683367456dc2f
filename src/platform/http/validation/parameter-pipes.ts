import { type ArgumentMetadata, type PipeTransform, ValidationPipe } from '@nestjs/common';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import { RouterExecutionContext } from '@nestjs/core/router/router-execution-context.js';
import { hasRules } from './dto-fields.js';
import { DtoValidationPipe } from './dto-validation.pipe.js';

/** Private properties of Nest's class. */
interface Internals {
  pipesContextCreator: PipesContextCreator;
}

type Parameter = Parameters<RouterExecutionContext['createPipesFn']>[1][number];

/** The types of parameters that are validated, in the order in which FastAPI reports errors. */
const VALIDATED_TYPES: unknown[] = [
  RouteParamtypes.PARAM,
  RouteParamtypes.QUERY,
  RouteParamtypes.BODY,
];

// eslint-disable-next-line @typescript-eslint/unbound-method -- is called with `call()`
const { createPipesFn } = RouterExecutionContext.prototype;

/**
 * Makes the pipes of a parameter see the value that the client sent, although {@link DtoValidationPipe} is
 * global, and Nest runs global pipes first:
 *
 * - A parameter with a `ValidationPipe` of its own, its handler's or its controller's is validated by that
 *   alone.
 * - A parameter with other pipes is validated after them.
 *
 * If several parameters are invalid, the response has the error of the first one in FastAPI's order: path, query, body.
 */
export function adaptParameterPipes(): void {
  RouterExecutionContext.prototype.createPipesFn = function (pipes, parameters) {
    const validation = pipes.find((pipe) => pipe instanceof DtoValidationPipe);
    if (validation === undefined) return createPipesFn.call(this, pipes, parameters);
    const { pipesContextCreator } = this as unknown as Internals;
    const globalPipes = pipesContextCreator.getGlobalMetadata<PipeTransform[]>();
    const isOwn = (pipe: PipeTransform) =>
      pipe instanceof ValidationPipe && !globalPipes.includes(pipe);
    const adapted = parameters
      .map((parameter) => ({
        ...parameter,
        pipes: selectPipes(parameter, pipes, validation, isOwn),
      }))
      .toSorted((a, b) => getRank(a) - getRank(b));
    if (adapted.filter((parameter) => parameter.pipes.length > 0).length < 2) {
      return createPipesFn.call(this, [], adapted);
    }
    const functions = adapted.map((parameter) => createPipesFn.call(this, [], [parameter]));
    return (...args) => rejectInOrder(functions.map((apply) => apply?.(...args)));
  };
}

function selectPipes(
  parameter: Parameter,
  pipes: PipeTransform[],
  validation: DtoValidationPipe,
  isOwnValidation: (pipe: PipeTransform) => boolean,
): PipeTransform[] {
  const own: PipeTransform[] = parameter.pipes;
  const others = pipes.filter((pipe) => pipe !== validation);
  if (!isDto(parameter) || [...others, ...own].some(isOwnValidation)) return [...others, ...own];
  validation.prepare(parameter.metatype);
  return own.length === 0 ? pipes : [...others, new ValidatedPipe(own, validation)];
}

/** Runs the pipes of a parameter, and validates their result. */
class ValidatedPipe implements PipeTransform {
  constructor(
    private readonly pipes: PipeTransform[],
    private readonly validation: DtoValidationPipe,
  ) {}

  async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    let result = value;
    for (const pipe of this.pipes) result = (await pipe.transform(result, metadata)) as unknown;
    return isCreated(result, value, metadata.metatype)
      ? result
      : this.validation.transform(result, metadata);
  }
}

/** Returns whether pipes have created a value, for example by reading an entity by its id. */
function isCreated(
  result: unknown,
  value: unknown,
  metatype: ArgumentMetadata['metatype'],
): boolean {
  if (metatype !== undefined && result instanceof metatype) return true;
  const isPrimitive = typeof value !== 'object' || value === null;
  return isPrimitive && typeof result === 'object' && result !== value;
}

function isDto({ type, metatype }: Parameter): boolean {
  return VALIDATED_TYPES.includes(type) && hasRules(metatype);
}

function getRank({ type }: Parameter): number {
  const index = VALIDATED_TYPES.indexOf(type);
  return index === -1 ? VALIDATED_TYPES.length : index;
}

/** Waits for all promises, and rejects with the error of the first one that is rejected, in their order. */
async function rejectInOrder(promises: unknown[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
