import { ApiProperty } from '@nestjs/swagger';

const MESSAGE = 'PetSage Smoke Test: Service is operational.';

/** System A's answer. */
export class OperationalResponse {
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
