import {
  type ArgumentMetadata,
  Injectable,
  Logger,
  type PipeTransform,
  type Type,
  UnprocessableEntityException,
} from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validate, type ValidationError } from 'class-validator';
import { getRequestState } from '../request-state.js';
import {
  createErrorDetail,
  createMissingError,
  type ErrorDetail,
  OBJECT_ERROR,
} from './error-detail.js';
import { CompiledDto } from './compiled-dto.js';
import { addShapeErrors, toErrorDetails } from './validation-errors.js';

/** First element of FastAPI's `loc`, by the type of the handler's parameter. */
const LOCATIONS: Partial<Record<ArgumentMetadata['type'], string>> = {
  body: 'body',
  query: 'query',
  param: 'path',
};
const PLAIN_TYPES = new Set<unknown>([String, Number, Boolean, Array, Object, Date]);
const PROTOTYPE_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Validates a body, query or path with the class-validator decorators of the handler's DTO, and converts it
 * to an instance of the DTO without unknown keys.
 *
 * Replaces Nest's own `ValidationPipe`, which converts the value before validation and reports errors
 * without the arguments of the rules, while FastAPI's format requires both.
 *
 * @throws UnprocessableEntityException with FastAPI's `{"detail":[…]}`
 */
@Injectable()
export class DtoValidationPipe implements PipeTransform {
  private readonly logger = new Logger(DtoValidationPipe.name);

  /** Compiled when first used; undefined for DTOs that cannot be compiled. */
  private readonly compiledDtos = new Map<Type<object>, CompiledDto | undefined>();

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    const location = LOCATIONS[type];
    if (location === undefined || !isDto(metatype)) return value;
    const loc = [location];
    if (value === undefined) return rejectMissing(type, loc);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw createException([createErrorDetail(OBJECT_ERROR, loc, value)]);
    }
    return this.getCompiled(metatype)?.accept(value) ?? this.validate(value, metatype, loc);
  }

  private getCompiled(dtoClass: Type<object>): CompiledDto | undefined {
    if (!this.compiledDtos.has(dtoClass)) {
      this.compiledDtos.set(dtoClass, CompiledDto.compile(dtoClass));
    }
    return this.compiledDtos.get(dtoClass);
  }

  /** Validates with class-transformer and class-validator. */
  private async validate(
    value: object,
    dtoClass: Type<object>,
    loc: ErrorDetail['loc'],
  ): Promise<object> {
    let dto: object;
    let errors: ValidationError[];
    try {
      dto = plainToInstance<object, unknown>(dtoClass, removePrototypeKeys(value));
      errors = await validate(dto, { whitelist: true, forbidUnknownValues: false });
    } catch (error) {
      // Some conversions and rules throw on unexpected values, such as a lone surrogate.
      if (!(error instanceof TypeError || error instanceof URIError)) throw error;
      this.logger.warn(error);
      throw createException([
        { type: 'value_error', loc, msg: 'Input could not be validated', input: value },
      ]);
    }
    errors = addShapeErrors(dto, errors);
    if (errors.length > 0) throw createException(await toErrorDetails(errors, value, loc));
    return dto;
  }
}

/** Rejects a value that is absent, or a body that the body parser has left unread because it is not JSON. */
async function rejectMissing(
  type: ArgumentMetadata['type'],
  loc: ErrorDetail['loc'],
): Promise<never> {
  const text = type === 'body' ? await getRequestState()?.readText?.() : undefined;
  throw createException([
    text === undefined ? createMissingError(loc, null) : createErrorDetail(OBJECT_ERROR, loc, text),
  ]);
}

function isDto(metatype: ArgumentMetadata['metatype']): metatype is Type<object> {
  return metatype !== undefined && !PLAIN_TYPES.has(metatype);
}

function createException(detail: ErrorDetail[]): UnprocessableEntityException {
  return new UnprocessableEntityException({ detail });
}

/**
 * Returns the value, or a copy without keys such as `constructor`, which class-transformer would use as the
 * class to instantiate.
 */
function removePrototypeKeys(value: object): unknown {
  return hasPrototypeKey(value)
    ? JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
        PROTOTYPE_KEYS.has(key) ? undefined : inner,
      )
    : value;
}

function hasPrototypeKey(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).some(([key, inner]) => PROTOTYPE_KEYS.has(key) || hasPrototypeKey(inner))
  );
}
