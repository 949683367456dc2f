import { Injectable, Module } from '@nestjs/common';
import {
  Cron,
  CronExpression,
  Interval,
  ScheduleModule,
  SchedulerRegistry,
  Timeout,
} from '@nestjs/schedule';
import { createTestApp } from '../fixtures/app.js';
import { waitFor } from '../fixtures/wait-for.js';

describe('ScheduleModule', () => {
  @Injectable()
  class CleanupService {
    runs: string[] = [];

    @Cron(CronExpression.EVERY_SECOND, { name: 'cleanup' })
    runCron(): void {
      this.runs.push('cron');
    }

    @Interval('poll', 1)
    runInterval(): void {
      this.runs.push('interval');
    }

    @Timeout(1)
    runTimeout(): void {
      this.runs.push('timeout');
    }
  }

  @Module({ imports: [ScheduleModule.forRoot()], providers: [CleanupService] })
  class CleanupModule {}

  it('runs jobs until the application is closed', async () => {
    const { app } = await createTestApp({ features: [CleanupModule] });
    const { runs } = app.get(CleanupService);
    await waitFor(() => new Set(runs).size === 3);
    const registry = app.get(SchedulerRegistry);
    expect(registry.getCronJob('cleanup').isActive).toBe(true);
    await app.close();
    expect(registry.getCronJobs().size).toBe(0);
    expect(registry.getIntervals()).toEqual([]);
  });
});
