import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'NotReadyResponse' })
export class NotReadyResponseDto {
  @ApiProperty({
    description: '`error` while a required check is down, `draining` after a signal to stop.',
    enum: ['error', 'draining'],
  })
  status!: 'error' | 'draining';

  @ApiProperty({
    description: 'State of each check by name. Empty while draining.',
    type: 'object',
    additionalProperties: { type: 'string', enum: ['up', 'degraded', 'down'] },
    example: { event_loop: 'up', log: 'up', pet_store: 'down' },
  })
  checks!: Record<string, 'up' | 'degraded' | 'down'>;
}
