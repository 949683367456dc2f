import { Module } from '@nestjs/common';
import { SmokeTestController } from './smoke-test.controller.js';
import { SmokeTestService } from './smoke-test.service.js';

/** The five checks that answer for the five systems before this one. */
@Module({
  controllers: [SmokeTestController],
  providers: [SmokeTestService],
})
export class SmokeTestModule {}
