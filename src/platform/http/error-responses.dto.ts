import { ApiProperty } from '@nestjs/swagger';

/** The body of every error but a failed validation. */
export class HTTPError {
  @ApiProperty({ description: 'What went wrong, for a person to read.', example: 'Not Found' })
  detail!: string;
}

/** One thing that is wrong with a request, as FastAPI describes it. */
export class ValidationError {
  @ApiProperty({
    title: 'Error Type',
    description: 'What is wrong, for a program to tell apart.',
    example: 'string_type',
  })
  type!: string;

  @ApiProperty({
    title: 'Location',
    description: 'Where it is: the part of the request, then names of fields and indexes of items.',
    type: 'array',
    items: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
    example: ['body', 'ping'],
  })
  loc!: (string | number)[];

  @ApiProperty({
    title: 'Message',
    description: 'What is wrong, for a person to read.',
    example: 'Input should be a valid string',
  })
  msg!: string;

  @ApiProperty({
    title: 'Input',
    description: 'The value that is wrong.',
    required: false,
    anyOf: [
      { type: 'string' },
      { type: 'number' },
      { type: 'boolean' },
      { type: 'null' },
      { type: 'array', items: {} },
      { type: 'object' },
    ],
    example: 5,
  })
  input?: unknown;

  @ApiProperty({
    title: 'Context',
    description: 'What the rule asks for, where it has a parameter.',
    type: 'object',
    additionalProperties: true,
    selfRequired: false,
  })
  ctx?: Record<string, unknown>;
}

/** The body of a 422. */
export class HTTPValidationError {
  @ApiProperty({
    title: 'Detail',
    description: 'All that is wrong with the request, in the order of its fields.',
    type: [ValidationError],
  })
  detail!: ValidationError[];
}
