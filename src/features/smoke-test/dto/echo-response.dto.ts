import { ApiProperty } from '@nestjs/swagger';

const MESSAGE = 'PetSage system is operational.';

/** System E's answer. */
export class EchoResponse {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ enum: [MESSAGE] })
  message!: typeof MESSAGE;

  @ApiProperty({ description: 'The text of `ping`.', example: 'hello' })
  pong!: string;

  @ApiProperty({
    description: 'The time of the answer, in UTC.',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  timestamp!: string;
}
