/** One job, the same for all processes. */
export interface ScheduledJobsTable {
  name: string;
  /** The due time that is run next. While `owner` is set, it is being run, or its process has died. */
  due_at: Date;
  /** The due time that was run last. */
  last_due_at: Date | null;
  /** The process that runs the job. */
  owner: string | null;
  /** When another process may run it, unless the owner moves this time forward. */
  expires_at: Date | null;
  succeeded_at: Date | null;
}

export interface JobsTables {
  scheduled_jobs: ScheduledJobsTable;
}
