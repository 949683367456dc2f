import { ApiProperty } from '@nestjs/swagger';

const MESSAGE = 'PetSage service is running and logging is operational.';

/** System D's answer. */
export class LoggingResponse {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ enum: [MESSAGE] })
  message!: typeof MESSAGE;

  @ApiProperty({
    description: 'The time of the answer, in UTC.',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  timestamp!: string;
}
