import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { IsString } from 'class-validator';

@ApiSchema({ name: 'EchoRequest' })
export class EchoRequestDto {
  @ApiProperty({ description: 'Any text, which may be empty.', example: 'hello' })
  @IsString()
  ping!: string;
}
