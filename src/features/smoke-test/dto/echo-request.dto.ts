import { ApiProperty } from '@nestjs/swagger';
import { IsString } from 'class-validator';

/** What system E is asked. */
export class EchoRequest {
  @ApiProperty({ description: 'Any text, the empty one too.', example: 'hello' })
  @IsString()
  ping!: string;
}
