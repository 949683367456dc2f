import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'HTTPError' })
export class HttpErrorDto {
  @ApiProperty({ description: 'Human-readable error message.', example: 'Not Found' })
  detail!: string;
}

/** One validation error in FastAPI's format. */
@ApiSchema({ name: 'ValidationError' })
class ValidationErrorDto {
  @ApiProperty({
    title: 'Error Type',
    description: 'Machine-readable error type.',
    example: 'string_type',
  })
  type!: string;

  @ApiProperty({
    title: 'Location',
    description:
      'Location of the error: the part of the request, then field names and array indexes.',
    type: 'array',
    items: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
    example: ['body', 'ping'],
  })
  loc!: (string | number)[];

  @ApiProperty({
    title: 'Message',
    description: 'Human-readable error message.',
    example: 'Input should be a valid string',
  })
  msg!: string;

  @ApiProperty({
    title: 'Input',
    description: 'The invalid value.',
    required: false,
    example: 5,
  })
  input?: unknown;

  @ApiProperty({
    title: 'Context',
    description: 'Parameters of the violated rule, if it has any.',
    type: 'object',
    additionalProperties: true,
    selfRequired: false,
  })
  ctx?: Record<string, unknown>;
}

/** Body of a 422 response. */
@ApiSchema({ name: 'HTTPValidationError' })
export class HttpValidationErrorDto {
  @ApiProperty({
    title: 'Detail',
    description: 'All validation errors, in the order of the fields.',
    type: [ValidationErrorDto],
  })
  detail!: ValidationErrorDto[];
}
