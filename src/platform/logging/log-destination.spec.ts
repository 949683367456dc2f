import { EventEmitter } from 'node:events';
import { jest } from '@jest/globals';
import { LogDestination, type LogSink } from './log-destination.js';

/** A sink that writes, refuses and drops when the test says so, with room for 100 bytes. */
class ManualSink extends EventEmitter implements LogSink {
  readonly lines: string[] = [];
  room = 100;
  reopened = 0;

  write(line: string): void {
    if (line === '') return;
    if (line.length > this.room) this.emit('drop', line);
    else {
      this.lines.push(line);
      this.room -= line.length;
    }
  }

  take(bytes: number): void {
    this.emit('write', bytes);
    this.room += bytes;
  }

  refuse(code: string): void {
    this.emit('error', Object.assign(new Error('refused'), { code }));
  }

  reopen(): void {
    this.reopened += 1;
  }
}

describe('LogDestination', () => {
  let sink: ManualSink;
  let destination: LogDestination;

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    sink = new ManualSink();
    destination = new LogDestination(sink);
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  /** Writes a line of so many bytes and waits up to a second for its proof. */
  function prove(bytes: number): Promise<void> {
    const write = () => {
      destination.write('x'.repeat(bytes));
    };
    const proof = destination.confirm(write, 1000);
    proof.catch(() => undefined);
    return proof;
  }

  const idle = { lastError: undefined, backlog: 0, dropped: 0, oldestUnwrittenMs: 0 };

  it('proves a record by its own last byte', async () => {
    destination.write('12345');
    let proven = false;
    const proof = prove(10).then(() => (proven = true));
    sink.take(14);
    await Promise.resolve();
    expect(proven).toBe(false);
    sink.take(1);
    await proof;
    expect(destination.state()).toEqual(idle);
  });

  it('counts bytes, not characters', async () => {
    const proof = destination.confirm(() => {
      destination.write('🐕é');
    }, 1000);
    expect(destination.state().backlog).toBe(6);
    sink.take(6);
    await proof;
  });

  it('proves many records in the order in which they leave', async () => {
    const proven: number[] = [];
    const proofs = [1, 2, 3].map((n) => prove(10).then(() => proven.push(n)));
    sink.take(20);
    await Promise.all(proofs.slice(0, 2));
    expect(proven).toEqual([1, 2]);
    sink.take(10);
    await Promise.all(proofs);
    expect(proven).toEqual([1, 2, 3]);
  });

  it('says that a record was refused, and why, to all who wait', async () => {
    const proofs = [prove(10), prove(10)];
    sink.refuse('ENOSPC');
    for (const proof of proofs) {
      await expect(proof).rejects.toThrow("The log's destination refused the record: ENOSPC");
    }
    expect(destination.state()).toEqual({ ...idle, lastError: 'ENOSPC', backlog: 20 });
    const next = prove(5);
    sink.take(25);
    await next;
    expect(destination.state()).toEqual(idle);
  });

  it('says that a record was not taken in time', async () => {
    const proof = prove(10);
    jest.advanceTimersByTime(999);
    sink.take(9);
    jest.advanceTimersByTime(1);
    await expect(proof).rejects.toThrow(
      "The log's destination did not take the record within 1000 ms",
    );
    expect(destination.state()).toEqual({ ...idle, backlog: 1, oldestUnwrittenMs: 1000 });
    sink.take(1);
    expect(destination.state()).toEqual(idle);
  });

  it('says that a record was dropped, at once, and why it may be', async () => {
    destination.write('x'.repeat(95));
    await expect(prove(10)).rejects.toThrow(
      "The record was dropped: too much waits for the log's destination",
    );
    sink.refuse('EPIPE');
    await expect(prove(10)).rejects.toThrow(
      "The record was dropped: too much waits for the log's destination, after it refused others: EPIPE",
    );
    expect(destination.state()).toMatchObject({ backlog: 95, dropped: 2 });
  });

  it('tells how many were dropped as soon as there is room, once', () => {
    const told: number[] = [];
    destination.onRecovery = (dropped) => told.push(dropped);
    for (const bytes of [95, 10, 10, 10]) destination.write('x'.repeat(bytes));
    expect(told).toEqual([]);
    sink.take(50);
    sink.take(45);
    jest.runAllTicks();
    expect(told).toEqual([3]);
    destination.write('x'.repeat(101));
    sink.take(0);
    jest.runAllTicks();
    expect(told).toEqual([3, 1]);
    expect(destination.state()).toMatchObject({ dropped: 4 });
  });

  it('knows how long the oldest record has waited', () => {
    destination.write('12345');
    jest.advanceTimersByTime(100);
    destination.write('12345');
    jest.advanceTimersByTime(20);
    expect(destination.state().oldestUnwrittenMs).toBe(120);
    sink.take(5);
    expect(destination.state().oldestUnwrittenMs).toBe(20);
    sink.take(5);
    expect(destination.state().oldestUnwrittenMs).toBe(0);
  });

  it('flushes: waits until all is written, or cannot be', async () => {
    expect(await destination.flush(1000)).toBe(true);
    destination.write('12345');
    const flushed = destination.flush(1000);
    sink.take(5);
    expect(await flushed).toBe(true);
    destination.write('12345');
    const refused = destination.flush(1000);
    sink.refuse('EIO');
    expect(await refused).toBe(false);
    const late = destination.flush(1000);
    jest.advanceTimersByTime(1000);
    expect(await late).toBe(false);
  });

  it('writes and counts what the format makes of a line', async () => {
    const pretty = new LogDestination(sink, (line) => `<${line}>`);
    const proof = pretty.confirm(() => {
      pretty.write('a');
    }, 1000);
    expect(sink.lines).toEqual(['<a>']);
    sink.take(3);
    await proof;
  });

  it('reopens its file', () => {
    destination.reopen();
    expect(sink.reopened).toBe(1);
  });
});
