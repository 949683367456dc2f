import { Module } from '@nestjs/common';
import { ConnectionTracker } from './connection-tracker.js';
import { LifecycleService } from './lifecycle.service.js';

@Module({
  providers: [ConnectionTracker, LifecycleService],
  exports: [ConnectionTracker, LifecycleService],
})
export class LifecycleModule {}
