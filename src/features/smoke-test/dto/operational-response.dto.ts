import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'OperationalResponse' })
export class OperationalResponseDto {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ example: 'PetSage Smoke Test: Service is operational.' })
  message!: string;

  @ApiProperty({
    description: 'Time of the response, in UTC.',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  timestamp!: string;
}
