import { Injectable } from '@nestjs/common';
import { ReadinessCheck, type ReadinessIndicator } from '../health/readiness-check.decorator.js';
import { formatChanged, MigratorService } from './migrator.service.js';

/**
 * Reports `down` until all migrations of this build have been applied, so that a rollout waits for them. Then it
 * reports `up` as long as the process runs: an outage of the database does not take all replicas out of service.
 */
@Injectable()
@ReadinessCheck({ name: 'migrations' })
export class MigrationsIndicator implements ReadinessIndicator {
  private areApplied = false;

  constructor(private readonly migrator: MigratorService) {}

  async check(): Promise<undefined> {
    if (this.areApplied) return;
    const status = await this.migrator.getStatus();
    const changed = status.find(({ state }) => state === 'changed');
    if (changed) throw new Error(formatChanged(changed.file));
    const pending = status.filter(({ state }) => state === 'pending').map(({ file }) => file);
    if (pending.length > 0) throw new Error(`Not yet applied: ${pending.join(', ')}`);
    this.areApplied = true;
  }
}
