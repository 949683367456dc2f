import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'LivenessResponse' })
export class LivenessResponseDto {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ example: 'PetSage API is alive and running!' })
  message!: string;
}
