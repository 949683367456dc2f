import { jest } from '@jest/globals';
import { BACKLOG_LIMIT, LogDestination, type LogTarget } from './log-destination.js';

type Done = Parameters<LogTarget['write']>[1];

/** A target that takes and refuses what the test says, when it says so. */
class ManualTarget implements LogTarget {
  /** What it took, and after each `|` in a new file. */
  output = '';
  failure: Error | undefined;
  /** Whether there is another file to go on in. */
  isMoved = true;
  private asked: { bytes: Uint8Array; done: Done } | undefined;

  write(bytes: Uint8Array, done: Done): void {
    expect(this.asked).toBeUndefined();
    this.asked = { bytes, done };
  }

  reopen(): boolean {
    if (this.failure) throw this.failure;
    if (this.isMoved) this.output += '|';
    return this.isMoved;
  }

  /** Takes some of the bytes that it was last asked to write, or all. */
  take(count = Infinity): void {
    const { bytes, done } = this.request();
    const taken = Math.min(count, bytes.length);
    this.output += Buffer.from(bytes.subarray(0, taken)).toString('latin1');
    done(null, taken);
  }

  refuse(code: string): void {
    this.request().done(Object.assign(new Error('refused'), { code }), 0);
  }

  get isAsked(): boolean {
    return this.asked !== undefined;
  }

  private request() {
    const { asked } = this;
    if (!asked) throw new Error('Nothing is to be written.');
    this.asked = undefined;
    return asked;
  }
}

describe('LogDestination', () => {
  let target: ManualTarget;
  let destination: LogDestination;

  beforeEach(() => {
    jest.useFakeTimers();
    target = new ManualTarget();
    destination = new LogDestination(target);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  /** Writes a line and waits up to a second for its proof. */
  function prove(line: string): Promise<void> {
    const write = () => {
      destination.write(line);
    };
    const proof = destination.confirm(write, 1000);
    proof.catch(() => undefined);
    return proof;
  }

  const idle = { lastError: undefined, backlog: 0, dropped: 0, oldestUnwrittenMs: 0 };
  const full = 'x'.repeat(BACKLOG_LIMIT - 5);

  it('writes lines in their order, one write at a time', () => {
    for (const line of ['a\n', 'b\n', 'c\n']) destination.write(line);
    target.take();
    target.take();
    expect(target.output).toBe('a\nb\nc\n');
    expect(target.isAsked).toBe(false);
    expect(destination.state()).toEqual(idle);
  });

  it('writes no more at once than it may, in whole lines, but for a line that is longer', () => {
    destination = new LogDestination(target, undefined, 4);
    for (const line of ['1\n', '2\n', '3\n', '4444\n', '5\n']) destination.write(line);
    const writes = [];
    while (target.isAsked) {
      const before = target.output.length;
      target.take();
      writes.push(target.output.slice(before));
    }
    expect(writes).toEqual(['1\n', '2\n3\n', '4444\n', '5\n']);
  });

  it('proves a record by its own last byte', async () => {
    destination.write('12345');
    let proven = false;
    const proof = prove('1234567890').then(() => (proven = true));
    target.take();
    target.take(9);
    await Promise.resolve();
    expect(proven).toBe(false);
    target.take();
    await proof;
    expect(target.output).toBe('123451234567890');
  });

  it('counts bytes, not characters', async () => {
    const proof = prove('🐕é');
    expect(destination.state().backlog).toBe(6);
    target.take();
    await proof;
  });

  it('proves many records in the order in which they leave', async () => {
    const proven: number[] = [];
    const proofs = [1, 2, 3].map((n) => prove('1234567890').then(() => proven.push(n)));
    target.take();
    target.take(10);
    await Promise.all(proofs.slice(0, 2));
    expect(proven).toEqual([1, 2]);
    target.take();
    await Promise.all(proofs);
    expect(proven).toEqual([1, 2, 3]);
  });

  it('says that a record was refused, and why, to all who wait, and tries again', async () => {
    const proofs = [prove('a\n'), prove('b\n')];
    target.refuse('ENOSPC');
    for (const proof of proofs) {
      await expect(proof).rejects.toThrow("The log's destination refused the record: ENOSPC");
    }
    expect(destination.state()).toMatchObject({ lastError: 'ENOSPC', backlog: 4 });
    jest.advanceTimersByTime(1000);
    target.refuse('ENOSPC');
    const next = prove('c\n');
    target.take();
    target.take();
    await next;
    expect(target.output).toBe('a\nb\nc\n');
    expect(destination.state()).toEqual(idle);
  });

  it('waits a moment for a pipe that is full, which is no refusal', async () => {
    const proof = prove('a\n');
    target.refuse('EAGAIN');
    expect(target.isAsked).toBe(false);
    expect(destination.state()).toMatchObject({ lastError: undefined, backlog: 2 });
    jest.advanceTimersByTime(5);
    target.take();
    await proof;
  });

  it('says that a record was not taken in time', async () => {
    const proof = prove('1234567890');
    jest.advanceTimersByTime(999);
    target.take(9);
    jest.advanceTimersByTime(1);
    await expect(proof).rejects.toThrow(
      "The log's destination did not take the record within 1000 ms",
    );
    expect(destination.state()).toMatchObject({ backlog: 1 });
    target.take();
    expect(destination.state()).toEqual(idle);
  });

  it('says that a record was dropped, at once, and why it may be', async () => {
    destination.write(full);
    await expect(prove('1234567890')).rejects.toThrow(
      "The record was dropped: too much waits for the log's destination",
    );
    target.refuse('EPIPE');
    await expect(prove('1234567890')).rejects.toThrow(
      "The record was dropped: too much waits for the log's destination, after it refused others: EPIPE",
    );
    expect(destination.state()).toMatchObject({ backlog: full.length, dropped: 2 });
  });

  it('works again when there is room again, and tells once how many were dropped', () => {
    const told: number[] = [];
    destination.onRecovery = (dropped) => {
      told.push(dropped);
      destination.write(`dropped ${dropped}\n`);
    };
    destination.write(full);
    target.refuse('ENOSPC');
    for (let n = 0; n < 3; n++) destination.write('too much\n');
    // The dropped lines made it try again, though there was no room for them.
    target.take(1000);
    expect(told).toEqual([]);
    target.take();
    expect(told).toEqual([3]);
    target.take();
    expect(target.output.slice(full.length)).toBe('dropped 3\n');
    expect(destination.state()).toEqual({ ...idle, dropped: 3 });
  });

  it('tells of a record that is too large for the backlog, at once', () => {
    const told: number[] = [];
    destination.onRecovery = (dropped) => told.push(dropped);
    destination.write('x'.repeat(BACKLOG_LIMIT + 1));
    expect(told).toEqual([1]);
  });

  it('knows how long the oldest record has waited', () => {
    destination.write('12345');
    jest.advanceTimersByTime(100);
    destination.write('12345');
    jest.advanceTimersByTime(20);
    expect(Math.round(destination.state().oldestUnwrittenMs)).toBe(120);
    target.take();
    expect(Math.round(destination.state().oldestUnwrittenMs)).toBe(20);
    target.take();
    expect(destination.state().oldestUnwrittenMs).toBe(0);
  });

  it('flushes: waits until all is written, what comes meanwhile too', async () => {
    expect(await destination.flush(1000)).toBe(true);
    destination.write('a\n');
    const flushed = destination.flush(1000);
    destination.write('b\n');
    target.take();
    await Promise.resolve();
    target.take();
    expect(await flushed).toBe(true);
    expect(target.output).toBe('a\nb\n');
  });

  it('flushes no longer than it may, and not what is refused', async () => {
    destination.write('a\n');
    const refused = destination.flush(1000);
    target.refuse('EIO');
    expect(await refused).toBe(false);
    const late = destination.flush(1000);
    jest.advanceTimersByTime(1000);
    expect(await late).toBe(false);
  });

  it('writes and counts what the format makes of a line', async () => {
    destination = new LogDestination(target, (line) => `<${line}>`);
    const proof = prove('a');
    target.take(2);
    target.take();
    await proof;
    expect(target.output).toBe('<a>');
  });

  describe('reopen()', () => {
    it('finishes what is being written before it goes on in the new file', async () => {
      destination.write('a\nb\n');
      const reopened = destination.reopen();
      destination.write('c\n');
      target.take(1);
      expect(target.output).toBe('a');
      target.take();
      await reopened;
      target.take();
      expect(target.output).toBe('a\nb\n|c\n');
      expect(destination.state()).toEqual(idle);
    });

    it('does not wait for a file that is full: the broken line is whole in the new one', async () => {
      destination.write('a\nbcd\ne\n');
      target.take(4);
      target.refuse('ENOSPC');
      await destination.reopen();
      target.take();
      expect(target.output).toBe('a\nbc|bcd\ne\n');
      expect(destination.state()).toEqual(idle);
    });

    it('goes on in the middle of a line where there is no other file', async () => {
      target.isMoved = false;
      destination.write('a\nbcd\n');
      target.take(4);
      target.refuse('ENOSPC');
      await destination.reopen();
      target.take();
      expect(target.output).toBe('a\nbcd\n');
      expect(destination.state()).toEqual(idle);
    });

    it('does for all who asked what they asked once', async () => {
      destination.write('a\n');
      const reopened = [destination.reopen(), destination.reopen()];
      target.take();
      await Promise.all(reopened);
      expect(target.output).toBe('a\n|');
    });

    it('stays in the old file when the new one cannot be opened', async () => {
      target.failure = new Error('no such folder');
      await expect(destination.reopen()).rejects.toThrow('no such folder');
      destination.write('a\n');
      target.take();
      expect(target.output).toBe('a\n');
    });
  });
});
