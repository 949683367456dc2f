import { ApiProperty } from '@nestjs/swagger';

/** What runs, and since when. */
export class InfoResponse {
  @ApiProperty({ example: 'petsage-api' })
  name!: string;

  @ApiProperty({ example: '1.0.0' })
  version!: string;

  @ApiProperty({ description: 'The commit that was built, or `unknown`.', example: '4f2a9c1' })
  revision!: string;

  @ApiProperty({ description: 'The version of Node.js.', example: 'v24.21.0' })
  node!: string;

  @ApiProperty({
    description: 'When the process started, in UTC.',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  startedAt!: string;

  @ApiProperty({
    description: 'For how many whole seconds it has run.',
    type: 'integer',
    minimum: 0,
    example: 86400,
  })
  uptimeSeconds!: number;
}
