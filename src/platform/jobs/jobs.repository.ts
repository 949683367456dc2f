import { Injectable } from '@nestjs/common';
import { type RawBuilder, type Selectable, sql } from 'kysely';
import { DatabaseService } from '../database/database.service.js';
import type { JobsTables, ScheduledJobsTable } from './scheduled-jobs.table.js';

/** How long a claim is valid after it was renewed. Then another process may run the due time. */
export const LEASE_MS = 30_000;

/** The state of a job, and the time of the database at which it was read. */
export type JobState = Selectable<ScheduledJobsTable> & { now: Date };

/** A due time that this process runs. */
export interface Claim {
  name: string;
  dueAt: Date;
  owner: string;
}

/** Reads and writes the jobs. All times come from the database: the clocks of processes can differ. */
@Injectable()
export class JobsRepository {
  constructor(private readonly database: DatabaseService<JobsTables>) {}

  async find(names: string[]): Promise<JobState[]> {
    return this.database.db
      .selectFrom('scheduled_jobs')
      .selectAll()
      .select(selectNow().as('now'))
      .where('name', 'in', names)
      .execute();
  }

  /** Returns the time of the database. */
  async readTime(): Promise<Date> {
    const { now } = await this.database.db
      .selectNoFrom(selectNow().as('now'))
      .executeTakeFirstOrThrow();
    return now;
  }

  /** Creates a job, unless it exists. */
  async create(name: string, dueAt: Date): Promise<void> {
    await this.database.db
      .insertInto('scheduled_jobs')
      .values({ name, due_at: dueAt })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Changes the due time of a job that was not due when it was read. */
  async changeDueTime({ name, due_at }: JobState, dueAt: Date): Promise<void> {
    await this.database.db
      .updateTable('scheduled_jobs')
      .set({ due_at: dueAt })
      .where('name', '=', name)
      .where('due_at', '=', due_at)
      .where('owner', 'is', null)
      .execute();
  }

  /** Claims a due time, unless another process has claimed the job since it was read. Returns whether it did. */
  async claim({ due_at }: JobState, { name, dueAt, owner }: Claim): Promise<boolean> {
    const claimed = await this.database.db
      .updateTable('scheduled_jobs')
      .set({ due_at: dueAt, owner, expires_at: selectExpiry() })
      .where('name', '=', name)
      .where('due_at', '=', due_at)
      .where((eb) => eb.or([eb('owner', 'is', null), eb('expires_at', '<=', selectNow())]))
      .returning('name')
      .executeTakeFirst();
    return claimed !== undefined;
  }

  /** Keeps a claim for some more time. Returns whether this process still has it. */
  async renew(claim: Claim): Promise<boolean> {
    const renewed = await this.selectClaimed(claim)
      .set({ expires_at: selectExpiry() })
      .returning('name')
      .executeTakeFirst();
    return renewed !== undefined;
  }

  /** Ends a claim whose due time was run. Does nothing if another process has claimed it. */
  async finish(claim: Claim, nextDueAt: Date, hasSucceeded: boolean): Promise<void> {
    await this.selectClaimed(claim)
      .set({ due_at: nextDueAt, last_due_at: claim.dueAt, owner: null, expires_at: null })
      .$if(hasSucceeded, (update) => update.set({ succeeded_at: selectNow() }))
      .execute();
  }

  /** Lets another process run the due time of a claim again, at once. */
  async release(claim: Claim): Promise<void> {
    await this.selectClaimed(claim).set({ expires_at: selectNow() }).execute();
  }

  private selectClaimed({ name, dueAt, owner }: Claim) {
    return this.database.db
      .updateTable('scheduled_jobs')
      .where('name', '=', name)
      .where('due_at', '=', dueAt)
      .where('owner', '=', owner);
  }
}

function selectNow(): RawBuilder<Date> {
  return sql<Date>`now()`;
}

function selectExpiry(): RawBuilder<Date> {
  return sql<Date>`now() + ${LEASE_MS} * interval '1 millisecond'`;
}
