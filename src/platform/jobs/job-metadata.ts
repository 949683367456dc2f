import { DiscoveryService } from '@nestjs/core';
import type { ScheduledJobOptions } from './job.js';

/** Stores the options of a job. */
export const JobMetadata = DiscoveryService.createDecorator<ScheduledJobOptions>();
