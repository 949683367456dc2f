import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'ReadyResponse' })
export class ReadyResponseDto {
  @ApiProperty({
    description: '`degraded` while an optional check is down or any check is degraded.',
    enum: ['ok', 'degraded'],
  })
  status!: 'ok' | 'degraded';

  @ApiProperty({
    description: 'State of each check by name.',
    type: 'object',
    additionalProperties: { type: 'string', enum: ['up', 'degraded', 'down'] },
    example: { event_loop: 'up', log: 'up' },
  })
  checks!: Record<string, 'up' | 'degraded' | 'down'>;
}
