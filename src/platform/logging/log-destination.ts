/** How much may wait to be written, in bytes: some 15,000 records. What comes on top is dropped. */
export const BACKLOG_LIMIT = 4 * 1024 * 1024;

/** How long it waits before it asks a pipe again that had no room, in milliseconds. */
const FULL_PIPE_PAUSE_MS = 5;

/** How long it waits before it tries again what was refused, if nothing else is logged before. */
const REFUSAL_PAUSE_MS = 1000;

/** What takes the log's bytes: a descriptor. */
export interface LogTarget {
  /** Writes the bytes, or a part of them, and says later how many, or why not. */
  write(
    bytes: Uint8Array,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void;
  /**
   * Goes on in the file that has the log's name now.
   *
   * @returns whether that is another file
   * @throws Error when it cannot be opened; the target is what it was
   */
  reopen(): boolean;
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
 * Where the log goes. Nobody ever waits for it: what the target has no room for waits in memory, in
 * order, up to {@link BACKLOG_LIMIT}; what comes on top is dropped and counted. It keeps account of
 * what was really written, which pino's own destinations do not tell: their `flush` reports success
 * whatever became of the records, and after a refusal at a full backlog they never try again.
 */
export class LogDestination {
  /** Called with the number of records that were dropped, once there is room again. */
  onRecovery: (dropped: number) => void = () => undefined;

  /** Bytes taken and bytes written since the start. */
  private accepted = 0;
  private written = 0;
  private dropped = 0;
  private reported = 0;
  private lastError: string | undefined;

  /** Lines that wait, and the bytes that are being written, of which so many are. */
  private lines: string[] = [];
  private chunk = Buffer.alloc(0);
  private offset = 0;
  private isWriting = false;
  private retry: NodeJS.Timeout | undefined;
  private reopenings: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  private waiters: Waiter[] = [];
  /** When which byte was taken: an entry for each millisecond in which records came. */
  private readonly arrivals: { end: number; at: number }[] = [];

  /**
   * @param target what takes the bytes
   * @param format changes a line before it is written, for a person to read
   * @param writeLimit how many bytes one write has at most, unless a single line has more
   */
  constructor(
    private readonly target: LogTarget,
    private readonly format: (line: string) => string = (line) => line,
    private readonly writeLimit = Infinity,
  ) {}

  /** Takes a line of the log. It never waits and never throws. */
  write(line: string): void {
    const text = this.format(line);
    const bytes = Buffer.byteLength(text);
    if (this.accepted - this.written + bytes > BACKLOG_LIMIT) {
      this.dropped += 1;
      this.reportDrops();
    } else {
      this.accepted += bytes;
      this.lines.push(text);
      this.noteArrival();
    }
    this.pump();
  }

  /**
   * Waits until what `write` logs has left the process.
   *
   * @param write logs a record, through a logger that ends here
   * @param timeoutMs how long it waits, in milliseconds
   * @throws UndeliveredError when the record was dropped, refused, or not taken in time
   */
  async confirm(write: () => void, timeoutMs: number): Promise<void> {
    const { dropped, lastError } = this;
    write();
    if (this.dropped > dropped) {
      const cause = lastError === undefined ? '' : `, after it refused others: ${lastError}`;
      throw new UndeliveredError(
        `The record was dropped: too much waits for the log's destination${cause}`,
      );
    }
    await this.writtenUpTo(this.accepted, timeoutMs);
  }

  /**
   * Tries to write all that waits, and what is logged meanwhile.
   *
   * @param timeoutMs how long it may take, in milliseconds
   * @returns whether nothing waits any more
   */
  async flush(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (this.written < this.accepted) {
      this.pump();
      try {
        await this.writtenUpTo(this.accepted, deadline - performance.now());
      } catch {
        return false;
      }
    }
    return true;
  }

  /**
   * Goes on in a new file, after the old one was moved away. No record is lost, or split between
   * the two: what is being written is finished first, unless the old file refuses it.
   *
   * @throws Error when the file cannot be opened; the log goes on where it was
   */
  reopen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.reopenings.push({ resolve, reject });
      this.pump();
    });
  }

  /** How the log is doing, without a word to it. */
  state(): LogState {
    const oldest = this.arrivals[0];
    return {
      lastError: this.lastError,
      backlog: this.accepted - this.written,
      dropped: this.dropped,
      oldestUnwrittenMs: oldest === undefined ? 0 : performance.now() - oldest.at,
    };
  }

  /** Writes what waits, one write at a time. */
  private pump(): void {
    if (this.isWriting) return;
    const canChange = this.offset === this.chunk.length || this.lastError !== undefined;
    if (this.reopenings.length > 0 && canChange) this.goOnInNewFile();
    if (this.offset === this.chunk.length) {
      if (this.lines.length === 0) return;
      this.chunk = Buffer.from(this.takeLines().join(''));
      this.offset = 0;
    }
    clearTimeout(this.retry);
    this.isWriting = true;
    this.target.write(this.chunk.subarray(this.offset), (error, written) => {
      this.isWriting = false;
      if (error === null) {
        this.onWritten(written);
        this.pump();
      } else if (error.code === 'EAGAIN') {
        this.tryAgainIn(FULL_PIPE_PAUSE_MS);
      } else {
        this.onRefused(error.code ?? error.message);
        this.tryAgainIn(REFUSAL_PAUSE_MS);
      }
    });
  }

  private takeLines(): string[] {
    let count = this.lines.length;
    if (this.writeLimit < Infinity) {
      let bytes = 0;
      const tooMany = this.lines.findIndex((line) => {
        bytes += Buffer.byteLength(line);
        return bytes > this.writeLimit;
      });
      if (tooMany !== -1) count = Math.max(tooMany, 1);
    }
    return this.lines.splice(0, count);
  }

  private tryAgainIn(ms: number): void {
    this.retry = setTimeout(() => {
      this.pump();
    }, ms).unref();
  }

  private onWritten(bytes: number): void {
    this.offset += bytes;
    this.written += bytes;
    this.lastError = undefined;
    while (this.arrivals[0] !== undefined && this.arrivals[0].end <= this.written) {
      this.arrivals.shift();
    }
    while (this.waiters[0] !== undefined && this.waiters[0].end <= this.written) {
      this.waiters.shift()?.settle();
    }
    this.reportDrops();
  }

  /** Tells how many were dropped, when there is room enough that this is not dropped too. */
  private reportDrops(): void {
    const unreported = this.dropped - this.reported;
    if (unreported > 0 && this.accepted - this.written < BACKLOG_LIMIT / 2) {
      this.reported = this.dropped;
      this.onRecovery(unreported);
    }
  }

  private onRefused(code: string): void {
    this.lastError = code;
    const refused = this.waiters;
    this.waiters = [];
    for (const { settle } of refused) {
      settle(new UndeliveredError(`The log's destination refused the record: ${code}`));
    }
  }

  private goOnInNewFile(): void {
    const asked = this.reopenings;
    this.reopenings = [];
    let isAnother: boolean;
    try {
      isAnother = this.target.reopen();
    } catch (error) {
      for (const { reject } of asked) reject(error);
      return;
    }
    // A line of which the old file took only a part is written whole to the new one.
    if (isAnother && this.offset > 0 && this.offset < this.chunk.length) {
      const start = this.chunk.lastIndexOf('\n', this.offset - 1) + 1;
      this.written -= this.offset - start;
      this.offset = start;
    }
    for (const { resolve } of asked) resolve();
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

  private noteArrival(): void {
    const at = Math.floor(performance.now());
    const last = this.arrivals.at(-1);
    if (last?.at === at) last.end = this.accepted;
    else this.arrivals.push({ end: this.accepted, at });
  }
}
