import { JobSchedule } from './job-schedule.js';

describe('JobSchedule', () => {
  /** Returns the next due times as texts, without the seconds. */
  function findDueTimes(cron: string, from: string, count: number): string[] {
    const schedule = new JobSchedule(cron, 'Europe/Berlin');
    let time = new Date(from);
    return Array.from({ length: count }, () => {
      time = schedule.findNext(time);
      return time.toISOString().slice(0, 16);
    });
  }

  // The clocks are set from 02:00 (01:00 UTC) to 03:00.
  it.each([
    ['30 2 * * *', ['2027-03-28T01:00', '2027-03-29T00:30']],
    ['0 2,3 * * *', ['2027-03-28T01:00', '2027-03-29T00:00']],
  ])('runs %j at the next time that exists', (cron, expected) => {
    expect(findDueTimes(cron, '2027-03-28T00:00Z', expected.length)).toEqual(expected);
  });

  // The clocks are set from 03:00 (01:00 UTC) to 02:00.
  it.each([
    ['30 2 * * *', ['2027-10-31T00:30', '2027-11-01T01:30']],
    ['0,30 2 * * *', ['2027-10-31T00:00', '2027-10-31T00:30', '2027-11-01T01:00']],
  ])('runs %j once at a time that occurs twice', (cron, expected) => {
    expect(findDueTimes(cron, '2027-10-30T23:45Z', expected.length)).toEqual(expected);
  });

  it.each([
    ['2027-03-28T00:00Z', ['2027-03-28T00:30', '2027-03-28T01:00', '2027-03-28T01:30']],
    ['2027-10-31T00:00Z', ['2027-10-31T00:30', '2027-10-31T01:00', '2027-10-31T01:30']],
  ])('keeps the interval of */30 after %s', (from, expected) => {
    expect(findDueTimes('*/30 * * * *', from, expected.length)).toEqual(expected);
  });

  it.each(['30 2 * * *', '0 2,3 * * *', '*/30 * * * *', '15 4 * * MON-FRI'])(
    'finds the last due time of %j',
    (cron) => {
      const schedule = new JobSchedule(cron, 'Europe/Berlin');
      for (const start of ['2027-03-27T12:00Z', '2027-10-30T12:00Z']) {
        let dueAt = schedule.findNext(new Date(start));
        for (let count = 0; count < 50; count += 1) {
          const next = schedule.findNext(dueAt);
          expect(schedule.findLast(dueAt)).toEqual(dueAt);
          expect(schedule.findLast(new Date(next.getTime() - 1))).toEqual(dueAt);
          dueAt = next;
        }
      }
    },
  );

  it.each([
    ['0 3 * *', 'UTC'],
    ['0 3 * * * *', 'UTC'],
    ['61 3 * * *', 'UTC'],
    ['0 0 30 2 *', 'UTC'],
    ['0 3 * * *', 'Europe/Berln'],
  ])('rejects %j in %s', (cron, timeZone) => {
    expect(() => new JobSchedule(cron, timeZone)).toThrow();
  });
});
