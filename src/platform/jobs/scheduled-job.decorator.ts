import { Inject } from '@nestjs/common';
import { JobMetadata } from './job-metadata.js';
import type { ScheduledJobOptions } from './job.js';
import { JobsService } from './jobs.service.js';

/** Key of a property that no job has itself. */
const JOBS_SERVICE = Symbol('JobsService');

/**
 * Runs a provider when it is due, in one of all processes. It must implement {@link Job}. The module imports
 * `JobsModule`: without it, start-up fails.
 *
 * @example
 * ```ts
 * @Injectable()
 * @ScheduledJob({ name: 'vaccination-reminders', cron: '0 3 * * *', timeZone: 'Europe/Berlin', timeoutMs: 60_000 })
 * export class VaccinationRemindersJob implements Job {
 *   constructor(private readonly reminders: RemindersService) {}
 *
 *   async run(signal: AbortSignal, dueAt: Date): Promise<void> {
 *     await this.reminders.send(dueAt, signal);
 *   }
 * }
 * ```
 */
export const ScheduledJob =
  (options: ScheduledJobOptions): ClassDecorator =>
  (target) => {
    JobMetadata(options)(target);
    // Nest cannot resolve it without JobsModule.
    Inject(JobsService)(target.prototype as object, JOBS_SERVICE);
  };
