import { Module } from '@nestjs/common';
import { SmokeTestController } from './smoke-test.controller.js';
import { SmokeTestService } from './smoke-test.service.js';

/** The smoke checks of the five FastAPI services that this service replaces. */
@Module({
  controllers: [SmokeTestController],
  providers: [SmokeTestService],
})
export class SmokeTestModule {}
