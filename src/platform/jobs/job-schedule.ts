import { Cron } from 'croner';

/**
 * The due times of a job.
 *
 * Times that change with daylight saving: if the minutes and hours are numbers, a time that does not exist is due at
 * the first one that does, and one that occurs twice is due once. With `*` or `/`, the interval stays the same.
 */
export class JobSchedule {
  private readonly cron: Cron;

  /** @throws Error if the expression or the time zone is invalid, or if no time matches the expression */
  constructor(expression: string, timeZone: string) {
    this.cron = new Cron(expression, {
      mode: '5-part',
      timezone: timeZone,
      fixedTimeRule: 'no-wildcard',
    });
    this.findNext(new Date());
  }

  /** Returns the first due time after a time. */
  findNext(after: Date): Date {
    const next = this.cron.nextRun(after);
    if (next === null) throw new RangeError('no time matches the cron expression');
    return next;
  }

  /** Returns the last due time that is not after a time. */
  findLast(at: Date): Date {
    // Croner computes in seconds, and excludes its argument.
    const nextSecond = new Date(Math.floor(at.getTime() / 1000) * 1000 + 1000);
    const [last] = this.cron.previousRuns(1, nextSecond);
    if (last === undefined) throw new RangeError('no time matches the cron expression');
    return last;
  }
}
