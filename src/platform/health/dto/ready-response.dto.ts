import { ApiProperty } from '@nestjs/swagger';

/** The answer while the service is ready. */
export class ReadyResponse {
  @ApiProperty({
    description: '`degraded` while something is impaired that the service can do without.',
    enum: ['ok', 'degraded'],
  })
  status!: 'ok' | 'degraded';

  @ApiProperty({
    description: 'The state of each check by its name.',
    type: 'object',
    additionalProperties: { type: 'string', enum: ['up', 'degraded', 'down'] },
    example: { event_loop: 'up', log: 'up' },
  })
  checks!: Record<string, 'up' | 'degraded' | 'down'>;
}
