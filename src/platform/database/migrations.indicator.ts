import { Injectable } from '@nestjs/common';
import { ReadinessCheck, type ReadinessIndicator } from '../health/readiness-check.decorator.js';
import { MigratorService } from './migrator.service.js';

/**
 * Reports `down` until all migrations of this build have been applied, so that a rollout waits for them. Then it
 * reports `up` as long as the process runs: an outage of the database does not take all replicas out of service.
 */
@Injectable()
@ReadinessCheck({ name: 'migrations' })
export class MigrationsIndicator implements ReadinessIndicator {
  constructor(private readonly migrator: MigratorService) {}

  async check(): Promise<undefined> {
    await this.migrator.assertApplied();
  }
}
