import type { EventEmitter } from 'node:events';

/** How much may wait to be written, in bytes: some 15,000 records. What comes on top is dropped. */
export const BACKLOG_LIMIT = 4 * 1024 * 1024;

/**
 * What takes the log's lines: a SonicBoom. It emits `write` with the number of bytes that reached
 * its descriptor, `error` when the descriptor refused them (they wait for the next try), and `drop`
 * with a line that came when too much was waiting.
 */
export interface LogSink extends EventEmitter {
  write(line: string): unknown;
  /** Goes on in the file that has the log's name now. */
  reopen(): void;
}

/** A record that did not leave the process in time. The message is for whoever asked for it. */
export class UndeliveredError extends Error {}

/** How the log is doing, for checks that must not write to it themselves. */
export interface LogState {
  /** The system's code of the last try to write, when that failed: `ENOSPC`, `EPIPE`, … */
  lastError: string | undefined;
  /** Bytes that wait to be written. */
  backlog: number;
  /** Records that were dropped since the start. */
  dropped: number;
  /** How long the oldest record that is not written has waited, in milliseconds; 0 for none. */
  oldestUnwrittenMs: number;
}

/** Somebody who waits until as many bytes are written. */
interface Waiter {
  end: number;
  settle: (error?: UndeliveredError) => void;
}

/**
 * Where the log goes. It keeps account of what was really written: pino's own `flush` reports
 * success whatever became of the records.
 */
export class LogDestination {
  /** Called with the number of records that were dropped, once writing works again. */
  onRecovery: (dropped: number) => void = () => undefined;

  /** Bytes taken and bytes written since the start. */
  private accepted = 0;
  private written = 0;
  private dropped = 0;
  private reported = 0;
  private lastError: string | undefined;
  private waiters: Waiter[] = [];
  /** When which byte was taken: an entry for each millisecond in which records came. */
  private readonly arrivals: { end: number; at: number }[] = [];

  /**
   * @param sink what takes the lines
   * @param format changes a line before it is written, for a person to read
   */
  constructor(
    private readonly sink: LogSink,
    private readonly format: (line: string) => string = (line) => line,
  ) {
    sink.on('write', (bytes: number) => {
      this.onWrite(bytes);
    });
    sink.on('drop', (line: string) => {
      this.accepted -= Buffer.byteLength(line);
      this.dropped += 1;
    });
    sink.on('error', (error: NodeJS.ErrnoException) => {
      this.onError(error);
    });
  }

  /** Takes a line of the log. It never waits and never throws. */
  write(line: string): void {
    const text = this.format(line);
    const before = this.accepted;
    this.accepted += Buffer.byteLength(text);
    this.sink.write(text);
    if (this.accepted > before) this.noteArrival();
  }

  /**
   * Waits until what `write` logs has left the process.
   *
   * @param write logs a record, through a logger that ends here
   * @param timeoutMs how long it waits, in milliseconds
   * @throws UndeliveredError when the record was dropped, refused, or not taken in time
   */
  async confirm(write: () => void, timeoutMs: number): Promise<void> {
    const { dropped } = this;
    write();
    if (this.dropped > dropped) {
      const cause =
        this.lastError === undefined ? '' : `, after it refused others: ${this.lastError}`;
      throw new UndeliveredError(
        `The record was dropped: too much waits for the log's destination${cause}`,
      );
    }
    await this.writtenUpTo(this.accepted, timeoutMs);
  }

  /**
   * Tries to write all that waits.
   *
   * @param timeoutMs how long it may take, in milliseconds
   * @returns whether nothing waits any more
   */
  async flush(timeoutMs: number): Promise<boolean> {
    // After an error SonicBoom only tries again when it is given something.
    this.sink.write('');
    try {
      await this.writtenUpTo(this.accepted, timeoutMs);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Goes on in a new file, after the old one was moved away. Nothing is lost or split between them.
   *
   * @throws Error when the file cannot be opened; the log goes on where it was
   */
  reopen(): void {
    this.sink.reopen();
  }

  /** How the log is doing, without a word to it. */
  state(): LogState {
    const oldest = this.arrivals[0];
    return {
      lastError: this.lastError,
      backlog: this.accepted - this.written,
      dropped: this.dropped,
      oldestUnwrittenMs: oldest === undefined ? 0 : Date.now() - oldest.at,
    };
  }

  private writtenUpTo(end: number, timeoutMs: number): Promise<void> {
    if (this.written >= end) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        end,
        settle: (error) => {
          clearTimeout(timer);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        reject(
          new UndeliveredError(
            `The log's destination did not take the record within ${timeoutMs} ms`,
          ),
        );
      }, timeoutMs);
      this.waiters.push(waiter);
    });
  }

  private onWrite(bytes: number): void {
    this.written += bytes;
    this.lastError = undefined;
    while (this.arrivals[0] !== undefined && this.arrivals[0].end <= this.written) {
      this.arrivals.shift();
    }
    while (this.waiters[0] !== undefined && this.waiters[0].end <= this.written) {
      this.waiters.shift()?.settle();
    }
    // The sink counts these bytes as waiting until the event is over.
    if (this.dropped > this.reported) {
      process.nextTick(() => {
        this.report();
      });
    }
  }

  /** Tells of dropped records, when there is room enough that the telling is not dropped too. */
  private report(): void {
    const dropped = this.dropped - this.reported;
    if (dropped === 0 || this.accepted - this.written > BACKLOG_LIMIT / 2) return;
    this.reported = this.dropped;
    this.onRecovery(dropped);
  }

  private onError({ code, message }: NodeJS.ErrnoException): void {
    this.lastError = code ?? message;
    const refused = this.waiters;
    this.waiters = [];
    for (const { settle } of refused) {
      settle(new UndeliveredError(`The log's destination refused the record: ${this.lastError}`));
    }
  }

  private noteArrival(): void {
    const at = Date.now();
    const last = this.arrivals.at(-1);
    if (last?.at === at) last.end = this.accepted;
    else this.arrivals.push({ end: this.accepted, at });
  }
}
