import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DatabaseModule } from '../database/database.module.js';
import { SettingsModule } from '../settings/settings.module.js';
import { JobMetrics } from './job-metrics.js';
import { JobRunnerService } from './job-runner.service.js';
import { JobsRepository } from './jobs.repository.js';
import { JobsService } from './jobs.service.js';
import { JobsSettings } from './jobs.settings.js';

/** Runs providers with `@ScheduledJob()`. A module that has one imports it. */
@Module({
  imports: [DatabaseModule, DiscoveryModule, SettingsModule.forFeature(JobsSettings)],
  providers: [JobsRepository, JobMetrics, JobRunnerService, JobsService],
  exports: [JobsService],
})
export class JobsModule {}
