import { isNativeError } from 'node:util/types';
import {
  type ArgumentMetadata,
  Injectable,
  Logger,
  type PipeTransform,
  type Type,
  UnprocessableEntityException,
} from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { getRequestState } from '../request-state.js';
import { CompiledDto } from './compiled-dto.js';
import { ConstraintContainer } from './constraint-container.js';
import { type Field, hasRules } from './dto-fields.js';
import { DtoValidator } from './dto-validator.js';
import {
  createErrorDetail,
  createMissingError,
  type ErrorDetail,
  OBJECT_ERROR,
} from './error-detail.js';
import { readParameters } from './parameter-types.js';
import { copyForConversion, restoreFreeFormFields } from './plain-value.js';
import { isTransformError, markTransformErrors } from './transform-errors.js';

/** First element of FastAPI's `loc`, by the type of the handler's parameter. */
const LOCATIONS: Partial<Record<ArgumentMetadata['type'], string>> = {
  body: 'body',
  query: 'query',
  param: 'path',
};

/** A class with class-validator rules. */
interface Dto {
  dtoClass: Type<object>;
  fields: Map<string, Field>;
  /** Undefined for DTOs that cannot be compiled. */
  compiled: CompiledDto | undefined;
}

/**
 * Validates a body, query or path with the class-validator decorators of the handler's DTO, and converts it
 * to an instance of the DTO without unknown keys. Values of other classes pass.
 *
 * Replaces Nest's own `ValidationPipe`, which converts the value before validation and reports errors
 * without the arguments of the rules, while FastAPI's format requires both.
 *
 * @throws UnprocessableEntityException with FastAPI's `{"detail":[…]}`
 */
@Injectable()
export class DtoValidationPipe implements PipeTransform {
  private readonly logger = new Logger(DtoValidationPipe.name);
  private readonly validator: DtoValidator;
  /** Undefined for classes without rules. */
  private readonly dtos = new Map<unknown, Dto | undefined>();

  constructor(container: ConstraintContainer) {
    this.validator = new DtoValidator(container);
  }

  transform(value: unknown, { type, metatype, data }: ArgumentMetadata): unknown {
    const location = LOCATIONS[type];
    const dto = this.getDto(metatype);
    if (location === undefined || dto === undefined) return value;
    // A key, as in @Body('owner'), that may be absent: TypeScript emits nothing about optional parameters.
    if (typeof data === 'string' && value === undefined) return value;
    const loc = typeof data === 'string' ? [location, data] : [location];
    if (value === undefined) return rejectMissing(type, loc);
    if (!isObject(value)) throw createException([createErrorDetail(OBJECT_ERROR, loc, value)]);
    if (type === 'body') {
      return dto.compiled?.accept(value) ?? this.validate(dto, value, { value, loc });
    }
    const parameters = readParameters(dto.fields.values(), value);
    return (
      dto.compiled?.accept(parameters.value) ??
      this.validate(dto, parameters.value, { value: parameters.input, loc, isParameters: true })
    );
  }

  /**
   * Collects the rules of a DTO, so that invalid decorators abort the start-up.
   *
   * @throws StartupError that says what to do
   */
  prepare(dtoClass: unknown): void {
    // Nest calls no constructors in preview mode.
    if (Object.hasOwn(this, 'dtos')) this.getDto(dtoClass);
  }

  private getDto(metatype: unknown): Dto | undefined {
    const known = this.dtos.get(metatype);
    if (known !== undefined || this.dtos.has(metatype)) return known;
    let dto: Dto | undefined;
    if (hasRules(metatype)) {
      markTransformErrors();
      const fields = this.validator.getFields(metatype);
      dto = { dtoClass: metatype, fields, compiled: CompiledDto.compile(metatype, fields) };
    }
    this.dtos.set(metatype, dto);
    return dto;
  }

  /** Converts with class-transformer, and validates. */
  private async validate(
    { dtoClass }: Dto,
    value: object,
    input: Parameters<DtoValidator['findErrors']>[1],
  ): Promise<object> {
    let instance: object;
    const { copy, hasInheritedKeys } = copyForConversion(value);
    try {
      instance = plainToInstance(dtoClass, copy);
    } catch (error) {
      // class-transformer throws them for some invalid values, such as `null` in a list with a discriminator.
      if (!isTypeError(error) || isTransformError(error)) throw error;
      this.logger.warn(error);
      throw createException([
        {
          type: 'value_error',
          loc: input.loc,
          msg: 'Input could not be validated',
          input: input.value,
        },
      ]);
    }
    if (hasInheritedKeys) restoreFreeFormFields(instance, value, this.validator);
    const errors = await this.validator.findErrors(instance, input);
    if (errors.length > 0) throw createException(errors);
    return instance;
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

function isObject(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
  );
}

/** Also recognizes errors of Node's own functions under Jest, where `TypeError` is another class. */
function isTypeError(error: unknown): error is Error {
  return isNativeError(error) && error.name === 'TypeError';
}

function createException(detail: ErrorDetail[]): UnprocessableEntityException {
  return new UnprocessableEntityException({ detail });
}
