import { ApiProperty } from '@nestjs/swagger';

const MESSAGE = 'PetSage API is alive and running!';

/** System B's answer. */
export class LivenessResponse {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ enum: [MESSAGE] })
  message!: typeof MESSAGE;
}
