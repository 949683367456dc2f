import { ConflictException } from '@nestjs/common';
import type { ApiResponseNoStatusOptions } from '@nestjs/swagger';
import { HttpValidationErrorDto } from '../http/error-response.dto.js';

/** A 409: another resource has the same value in a field that is unique. */
export class ValueExistsException extends ConflictException {
  constructor(field: string, input: unknown) {
    super(createBody(field, input));
  }
}

/** Describes the response for `@ApiConflictResponse()`, with an example. */
export function describeValueExists(field: string, input: unknown): ApiResponseNoStatusOptions {
  return {
    description: 'Another resource has the same value.',
    type: HttpValidationErrorDto,
    example: createBody(field, input),
  };
}

function createBody(field: string, input: unknown) {
  return { detail: [{ type: 'unique', loc: ['body', field], msg: 'Value already exists', input }] };
}
