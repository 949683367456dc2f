import { ApiProperty } from '@nestjs/swagger';

/** The answer while the service is not to be sent requests. */
export class NotReadyResponse {
  @ApiProperty({
    description: '`error` while a check is down, `draining` from the moment it was told to stop.',
    enum: ['error', 'draining'],
  })
  status!: 'error' | 'draining';

  @ApiProperty({
    description: 'The state of each check by its name; empty while it drains.',
    type: 'object',
    additionalProperties: { type: 'string', enum: ['up', 'degraded', 'down'] },
    example: { event_loop: 'up', log: 'down' },
  })
  checks!: Record<string, 'up' | 'degraded' | 'down'>;
}
