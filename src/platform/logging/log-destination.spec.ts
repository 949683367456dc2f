import { jest } from '@jest/globals';
import {
  LogDestination,
  LogDeliveryError,
  type LogOutput,
  MAX_BACKLOG_BYTES,
} from './log-destination.js';

type WriteCallback = Parameters<LogOutput['write']>[1];

/** An output whose writes succeed or fail when the test says so. */
class ManualOutput implements LogOutput {
  /** Everything written, with a `|` where a new file starts. */
  content = '';
  reopenError: Error | undefined;
  /** Whether the log file was renamed before `reopen()`. */
  isRenamed = true;
  private pending: { bytes: Uint8Array; callback: WriteCallback } | undefined;

  write(bytes: Uint8Array, callback: WriteCallback): void {
    // The destination must not start a write before the previous one has ended.
    expect(this.pending).toBeUndefined();
    this.pending = { bytes, callback };
  }

  reopen(): boolean {
    if (this.reopenError) throw this.reopenError;
    if (this.isRenamed) this.content += '|';
    return this.isRenamed;
  }

  /** Completes the pending write, in part if a count is given. */
  accept(byteCount = Infinity): void {
    const { bytes, callback } = this.takePending();
    const written = bytes.subarray(0, byteCount);
    this.content += Buffer.from(written).toString('latin1');
    callback(null, written.length);
  }

  /** Fails the pending write. */
  fail(code: string): void {
    this.takePending().callback(Object.assign(new Error('write failed'), { code }), 0);
  }

  get hasPendingWrite(): boolean {
    return this.pending !== undefined;
  }

  private takePending() {
    const { pending } = this;
    if (!pending) throw new Error('There is no pending write.');
    this.pending = undefined;
    return pending;
  }
}

describe('LogDestination', () => {
  const TIMEOUT_MS = 1000;
  const IDLE = { lastError: undefined, backlogBytes: 0, droppedRecords: 0, oldestUnwrittenMs: 0 };
  /** Leaves room for 5 more bytes. */
  const ALMOST_FULL = 'x'.repeat(MAX_BACKLOG_BYTES - 5);

  let output: ManualOutput;
  let destination: LogDestination;

  beforeEach(() => {
    jest.useFakeTimers();
    output = new ManualOutput();
    destination = new LogDestination(output);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function confirmDelivery(line: string): Promise<void> {
    const delivery = destination.confirmDelivery(() => {
      destination.write(line);
    }, TIMEOUT_MS);
    // Some tests look at the rejection later.
    delivery.catch(() => undefined);
    return delivery;
  }

  describe('write()', () => {
    it('writes records in order', () => {
      for (const line of ['a\n', 'b\n', 'c\n']) destination.write(line);
      output.accept();
      output.accept();
      expect(output.content).toBe('a\nb\nc\n');
      expect(output.hasPendingWrite).toBe(false);
      expect(destination.getState()).toEqual(IDLE);
    });

    it('writes the rest after a partial write', () => {
      destination.write('1234567890');
      output.accept(4);
      output.accept();
      expect(output.content).toBe('1234567890');
    });

    it('formats records', async () => {
      destination = new LogDestination(output, (line) => `<${line}>`);
      const delivery = confirmDelivery('a');
      output.accept();
      await delivery;
      expect(output.content).toBe('<a>');
    });

    it('retries after 5 ms when a pipe is full', () => {
      destination.write('a\n');
      output.fail('EAGAIN');
      expect(destination.getState()).toMatchObject({ lastError: undefined, backlogBytes: 2 });
      jest.advanceTimersByTime(4);
      expect(output.hasPendingWrite).toBe(false);
      jest.advanceTimersByTime(1);
      output.accept();
      expect(output.content).toBe('a\n');
    });

    it('retries one second after an error', () => {
      destination.write('a\n');
      output.fail('ENOSPC');
      expect(destination.getState()).toMatchObject({ lastError: 'ENOSPC', backlogBytes: 2 });
      jest.advanceTimersByTime(999);
      expect(output.hasPendingWrite).toBe(false);
      jest.advanceTimersByTime(1);
      output.accept();
      expect(output.content).toBe('a\n');
      expect(destination.getState()).toEqual(IDLE);
    });

    it('restarts the delay after each error', () => {
      destination.write('a\n');
      output.fail('ENOSPC');
      jest.advanceTimersByTime(500);
      destination.write('b\n');
      output.fail('ENOSPC');
      jest.advanceTimersByTime(999);
      expect(output.hasPendingWrite).toBe(false);
      jest.advanceTimersByTime(1);
      expect(output.hasPendingWrite).toBe(true);
    });

    it('retries at once when a record is added after an error', () => {
      destination.write('a\n');
      output.fail('ENOSPC');
      destination.write('b\n');
      output.accept();
      output.accept();
      expect(output.content).toBe('a\nb\n');
    });

    it('retries at once when a record is dropped after an error', () => {
      destination.write(ALMOST_FULL);
      output.fail('ENOSPC');
      destination.write('too long');
      output.accept();
      expect(output.content).toBe(ALMOST_FULL);
      expect(destination.getState()).toEqual({ ...IDLE, droppedRecords: 1 });
    });
  });

  describe("'recover' event", () => {
    let reports: number[];

    beforeEach(() => {
      reports = [];
      destination.on('recover', (droppedRecords) => {
        reports.push(droppedRecords);
        destination.write(`dropped ${droppedRecords}\n`);
      });
    });

    it('reports the dropped records once, when half of the backlog is free', () => {
      destination.write(ALMOST_FULL);
      for (let n = 0; n < 3; n++) destination.write('too long');
      output.accept(MAX_BACKLOG_BYTES / 2 - 5);
      expect(reports).toEqual([]);
      output.accept(1);
      expect(reports).toEqual([3]);
      output.accept();
      output.accept();
      expect(reports).toEqual([3]);
      expect(output.content).toBe(`${ALMOST_FULL}dropped 3\n`);
      expect(destination.getState()).toEqual({ ...IDLE, droppedRecords: 3 });
    });

    it('reports a record that is larger than the backlog at once', () => {
      destination.write('x'.repeat(MAX_BACKLOG_BYTES + 1));
      expect(reports).toEqual([1]);
    });
  });

  describe('confirmDelivery()', () => {
    it('resolves when the last byte of the record is written', async () => {
      destination.write('12345');
      let isDelivered = false;
      const delivery = confirmDelivery('1234567890').then(() => (isDelivered = true));
      output.accept();
      output.accept(9);
      await Promise.resolve();
      expect(isDelivered).toBe(false);
      output.accept();
      await delivery;
      expect(output.content).toBe('123451234567890');
      expect(jest.getTimerCount()).toBe(0);
    });

    it('resolves concurrent calls in the order of their records', async () => {
      const delivered: number[] = [];
      const deliveries = [1, 2, 3].map((n) =>
        confirmDelivery('1234567890').then(() => delivered.push(n)),
      );
      output.accept();
      output.accept(10);
      await Promise.all(deliveries.slice(0, 2));
      expect(delivered).toEqual([1, 2]);
      output.accept();
      await Promise.all(deliveries);
      expect(delivered).toEqual([1, 2, 3]);
    });

    it('rejects all pending calls with the error code when a write fails', async () => {
      const deliveries = [confirmDelivery('a\n'), confirmDelivery('b\n')];
      output.fail('ENOSPC');
      for (const delivery of deliveries) {
        await expect(delivery).rejects.toThrow(
          new LogDeliveryError('The log destination rejected the record: ENOSPC'),
        );
      }
    });

    it('rejects when the record is not written in time', async () => {
      const delivery = confirmDelivery('1234567890');
      jest.advanceTimersByTime(TIMEOUT_MS - 1);
      output.accept(9);
      jest.advanceTimersByTime(1);
      await expect(delivery).rejects.toThrow(
        new LogDeliveryError('The log destination did not accept the record within 1000 ms'),
      );
      expect(destination.getState()).toMatchObject({ backlogBytes: 1 });
      output.accept();
      expect(output.content).toBe('1234567890');
    });

    it('rejects at once when the record is dropped', async () => {
      destination.write(ALMOST_FULL);
      await expect(confirmDelivery('too long')).rejects.toThrow(
        new LogDeliveryError('The record was dropped: the log backlog is full'),
      );
      output.fail('EPIPE');
      await expect(confirmDelivery('too long')).rejects.toThrow(
        new LogDeliveryError('The record was dropped: the log backlog is full (last error: EPIPE)'),
      );
    });

    it('resolves again after an error', async () => {
      destination.write('a\n');
      output.fail('ENOSPC');
      const delivery = confirmDelivery('b\n');
      output.accept();
      output.accept();
      await delivery;
    });
  });

  describe('flush()', () => {
    it('waits until the backlog is written, including records added meanwhile', async () => {
      expect(await destination.flush(TIMEOUT_MS)).toBe(true);
      destination.write('a\n');
      const flushed = destination.flush(TIMEOUT_MS);
      destination.write('b\n');
      output.accept();
      await Promise.resolve();
      output.accept();
      expect(await flushed).toBe(true);
      expect(output.content).toBe('a\nb\n');
    });

    it('returns false when a write fails', async () => {
      destination.write('a\n');
      const flushed = destination.flush(TIMEOUT_MS);
      output.fail('EIO');
      expect(await flushed).toBe(false);
    });

    it('retries at once after an error', async () => {
      destination.write('a\n');
      output.fail('EIO');
      const flushed = destination.flush(TIMEOUT_MS);
      output.accept();
      expect(await flushed).toBe(true);
    });

    it('returns false when the time runs out', async () => {
      destination.write('a\n');
      const flushed = destination.flush(TIMEOUT_MS);
      jest.advanceTimersByTime(TIMEOUT_MS);
      expect(await flushed).toBe(false);
    });
  });

  describe('reopen()', () => {
    it('finishes the current batch before it continues in the new file', async () => {
      destination.write('a\nb\n');
      const reopened = destination.reopen();
      destination.write('c\n');
      output.accept(1);
      expect(output.content).toBe('a');
      output.accept();
      await reopened;
      output.accept();
      expect(output.content).toBe('a\nb\n|c\n');
      expect(destination.getState()).toEqual(IDLE);
    });

    it('writes the whole record to the new file when the old file is full', async () => {
      destination.write('a\nbcd\ne\n');
      output.accept(4);
      output.fail('ENOSPC');
      await destination.reopen();
      output.accept();
      expect(output.content).toBe('a\nbc|bcd\ne\n');
      expect(destination.getState()).toEqual(IDLE);
    });

    it('continues within the record when the file was not renamed', async () => {
      output.isRenamed = false;
      destination.write('a\nbcd\n');
      output.accept(4);
      output.fail('ENOSPC');
      await destination.reopen();
      output.accept();
      expect(output.content).toBe('a\nbcd\n');
      expect(destination.getState()).toEqual(IDLE);
    });

    it('opens the file once for concurrent calls', async () => {
      destination.write('a\n');
      const reopened = [destination.reopen(), destination.reopen()];
      output.accept();
      await Promise.all(reopened);
      expect(output.content).toBe('a\n|');
    });

    it('rejects and continues in the old file when the new one cannot be opened', async () => {
      output.reopenError = new Error('ENOENT');
      await expect(destination.reopen()).rejects.toThrow('ENOENT');
      destination.write('a\n');
      output.accept();
      expect(output.content).toBe('a\n');
    });
  });

  describe('getState()', () => {
    it('counts bytes, not characters', () => {
      destination.write('🐕é');
      expect(destination.getState().backlogBytes).toBe(6);
    });

    it('returns the age of the oldest unwritten batch', () => {
      const getAge = () => Math.round(destination.getState().oldestUnwrittenMs);
      destination.write('first');
      jest.advanceTimersByTime(100);
      destination.write('second');
      jest.advanceTimersByTime(20);
      destination.write('third');
      expect(getAge()).toBe(120);
      output.accept(1);
      expect(getAge()).toBe(120);
      output.accept();
      expect(getAge()).toBe(20);
      output.accept();
      expect(getAge()).toBe(0);
    });
  });
});
