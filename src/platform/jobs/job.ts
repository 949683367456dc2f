export interface ScheduledJobOptions {
  /** Name in the log, in metrics, and in the database, in kebab-case. Another name is another job. */
  name: string;
  /** Minute, hour, day of the month, month, and day of the week. */
  cron: string;
  /** Name such as `Europe/Berlin`, `UTC` by default. */
  timeZone?: string;
  /** Time limit of a run, in milliseconds. */
  timeoutMs: number;
}

/** A provider with `@ScheduledJob()`. */
export interface Job {
  /**
   * Return once the work of a due time is done; throw if it failed. It is called at least once for each due time,
   * and again with the same one if the process stops before the run has ended.
   *
   * @param signal is aborted after `timeoutMs`, when the process stops, and when it has lost its claim. Throw then,
   *   unless the work is done
   * @param dueAt the due time, which is the same in a repeated call
   */
  run(signal: AbortSignal, dueAt: Date): Promise<void> | void;
}
