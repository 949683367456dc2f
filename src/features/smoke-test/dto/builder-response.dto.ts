import { ApiProperty } from '@nestjs/swagger';

const MESSAGE = 'PetSage builder is functional!';

/** System C's answer. */
export class BuilderResponse {
  @ApiProperty({ enum: ['ok'] })
  status!: 'ok';

  @ApiProperty({ description: 'The feature that answers.', enum: ['smoke_test'] })
  feature!: 'smoke_test';

  @ApiProperty({ enum: [MESSAGE] })
  message!: typeof MESSAGE;
}
