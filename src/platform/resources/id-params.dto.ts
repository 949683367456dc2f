import { ApiProperty } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';

/** The id in the path of a resource. */
export class IdParamsDto {
  @ApiProperty({ format: 'uuid', example: '018f3a9c-5b0e-7cc3-98c4-dc0c0c07398f' })
  @IsUUID('loose')
  id!: string;
}
