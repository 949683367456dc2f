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
import {
  describeErrors,
  type ErrorDetail,
  missing,
  notAnObject,
  withWrongShapes,
} from './validation-errors.js';

/** Where FastAPI says that a value stood, by the decorator that asked for it. */
const LOCATIONS: Partial<Record<ArgumentMetadata['type'], string>> = {
  body: 'body',
  query: 'query',
  param: 'path',
};
const PLAIN_TYPES = new Set<unknown>([String, Number, Boolean, Array, Object, Date]);
const PROTOTYPE_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Turns what a client sent into an instance of the handler's DTO, checked by its class-validator
 * decorators, without keys that the DTO does not have. It is the application's one validation pipe,
 * in place of Nest's own, because a 422 must quote what was sent: Nest's changes the value before
 * it checks it, and gives its errors without the rules' arguments.
 *
 * @throws UnprocessableEntityException with FastAPI's `{"detail":[…]}`, an entry for each failed
 *   field.
 */
@Injectable()
export class ValidationPipe implements PipeTransform {
  private readonly logger = new Logger(ValidationPipe.name);

  async transform(value: unknown, { type, metatype }: ArgumentMetadata): Promise<unknown> {
    const location = LOCATIONS[type];
    if (location === undefined || !isDto(metatype)) return value;
    const loc = [location];
    if (value === undefined || value === null) throw unprocessable([missing(loc, null)]);
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw unprocessable([notAnObject(loc, value)]);
    }
    let dto: object;
    let errors: ValidationError[];
    try {
      dto = plainToInstance<object, unknown>(metatype, withoutPrototypeKeys(value));
      errors = await validate(dto, { whitelist: true, forbidUnknownValues: false });
    } catch (error) {
      // Some conversions and rules throw at what they cannot take, such as half a surrogate pair.
      if (!(error instanceof TypeError || error instanceof URIError)) throw error;
      this.logger.warn(error);
      throw unprocessable([
        { type: 'value_error', loc, msg: 'Input could not be validated', input: value },
      ]);
    }
    errors = withWrongShapes(dto, errors);
    if (errors.length > 0) throw unprocessable(await describeErrors(errors, value, loc));
    return dto;
  }
}

function isDto(metatype: ArgumentMetadata['metatype']): metatype is Type<object> {
  return metatype !== undefined && !PLAIN_TYPES.has(metatype);
}

function unprocessable(detail: ErrorDetail[]): UnprocessableEntityException {
  return new UnprocessableEntityException({ detail });
}

/**
 * The value itself, or a copy without the keys that reach an object's prototype: class-transformer
 * takes a `constructor` key of the client's for the class to build.
 */
function withoutPrototypeKeys(value: object): unknown {
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
