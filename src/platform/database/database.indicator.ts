import { Injectable } from '@nestjs/common';
import { ReadinessCheck, type ReadinessIndicator } from '../health/readiness-check.decorator.js';
import { DatabasePool } from './database-pool.js';

/** Reports `down` while the database cannot execute a query. */
@Injectable()
@ReadinessCheck({ name: 'database', optional: true })
export class DatabaseIndicator implements ReadinessIndicator {
  constructor(private readonly pool: DatabasePool) {}

  async check(): Promise<void> {
    const connection = await this.pool.connect();
    try {
      await connection.query('select 1');
    } finally {
      connection.release();
    }
  }
}
