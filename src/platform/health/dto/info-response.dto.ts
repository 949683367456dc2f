import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'InfoResponse' })
export class InfoResponseDto {
  @ApiProperty({ example: 'petsage-api' })
  name!: string;

  @ApiProperty({ example: '1.0.0' })
  version!: string;

  @ApiProperty({ description: 'Commit that was built, or `unknown`.', example: '4f2a9c1' })
  revision!: string;

  @ApiProperty({ description: 'Version of Node.js.', example: 'v24.21.0' })
  node!: string;

  @ApiProperty({
    description: 'Start of the process, in UTC.',
    format: 'date-time',
    example: '2026-01-31T12:00:00.000Z',
  })
  startedAt!: string;

  @ApiProperty({
    description: 'Time since the start of the process, in whole seconds.',
    type: 'integer',
    minimum: 0,
    example: 86400,
  })
  uptimeSeconds!: number;
}
