import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'BuilderResponse' })
export class BuilderResponseDto {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ description: 'Name of the feature.', enum: ['smoke_test'] })
  feature!: 'smoke_test';

  @ApiProperty({ example: 'PetSage builder is functional!' })
  message!: string;
}
