import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'EchoResponse' })
export class EchoResponseDto {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ example: 'PetSage system is operational.' })
  message!: string;

  @ApiProperty({ description: 'The value of `ping`.', example: 'hello' })
  pong!: string;

  @ApiProperty({
    description: 'Time of the response, in UTC.',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  timestamp!: string;
}
