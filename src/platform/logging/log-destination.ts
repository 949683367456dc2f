import { EventEmitter } from 'node:events';

/** Maximum size of the backlog. A record that does not fit is dropped. */
export const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;

/** Delay before the next write to a pipe that was full (`EAGAIN`). */
const FULL_PIPE_RETRY_MS = 5;

/** Delay before the next write after any other error. A new record retries at once. */
const ERROR_RETRY_MS = 1000;

/** Writes bytes to a file descriptor. */
export interface LogOutput {
  /** Writes all of the bytes or the first part of them, like `fs.write()`. */
  write(
    bytes: Uint8Array,
    callback: (error: NodeJS.ErrnoException | null, bytesWritten: number) => void,
  ): void;
  /**
   * Opens the log file again by its path.
   *
   * @returns `true` if the path now refers to a different file
   * @throws Error if the file cannot be opened. The output then keeps the file that is open.
   */
  reopen(): boolean;
}

/** A log record did not reach its destination in time. The message states the reason. */
export class LogDeliveryError extends Error {}

interface LogState {
  /** Error code of the last write, such as `ENOSPC`, or `undefined` if it succeeded. */
  lastError: string | undefined;
  backlogBytes: number;
  /** Number of records dropped since the start of the process. */
  droppedRecords: number;
  /** Age of the oldest batch that is not completely written; 0 if the backlog is empty. */
  oldestUnwrittenMs: number;
}

/** Records that are written together: all that were added during the previous write. */
interface Batch {
  text: string;
  /** When its first record was accepted. */
  acceptedAtMs: number;
}

/** The batch that is being written, of which `offset` bytes are written. */
interface CurrentBatch {
  bytes: Buffer;
  offset: number;
  acceptedAtMs: number;
}

/** A caller that waits until all bytes before `position` are written. */
interface Waiter {
  position: number;
  settle: (error?: LogDeliveryError) => void;
}

/**
 * The stream that pino writes to. It never blocks and never throws: records that the output cannot
 * accept yet stay in memory, in order. When the backlog is full, new records are dropped and counted.
 * After an error, writing continues with the first byte that was not written.
 *
 * Emits `recover` with the number of dropped records when half of the backlog is free again.
 *
 * It replaces SonicBoom, pino's default destination, which can split a record between a full file and its
 * successor: see docs/decisions/log-destination.md.
 */
export class LogDestination extends EventEmitter<{ recover: [droppedRecords: number] }> {
  /** Bytes accepted and bytes written since the start of the process. */
  private acceptedBytes = 0;
  private writtenBytes = 0;
  private droppedRecords = 0;
  private reportedDrops = 0;
  private lastError: string | undefined;

  private current: CurrentBatch | undefined;
  private next: Batch | undefined;
  private isWriting = false;
  private retryTimer: NodeJS.Timeout | undefined;
  private readonly waiters = new Set<Waiter>();
  private reopenRequests: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  /** @param format converts a record before it is written */
  constructor(
    private readonly output: LogOutput,
    private readonly format: (line: string) => string = (line) => line,
  ) {
    super();
  }

  /** Accepts a record, or drops it if the backlog is full. */
  write(line: string): void {
    const text = this.format(line);
    const byteLength = Buffer.byteLength(text);
    if (this.acceptedBytes - this.writtenBytes + byteLength > MAX_BACKLOG_BYTES) {
      this.droppedRecords += 1;
      this.reportDrops();
    } else {
      this.acceptedBytes += byteLength;
      this.next ??= { text: '', acceptedAtMs: performance.now() };
      this.next.text += text;
    }
    this.writeNext();
  }

  /**
   * Waits until the record that `log` writes has left the process.
   *
   * @param log writes one record through a logger that uses this destination
   * @throws LogDeliveryError if the record was dropped, rejected, or not accepted in time
   */
  async confirmDelivery(log: () => void, timeoutMs: number): Promise<void> {
    const { droppedRecords } = this;
    log();
    if (this.droppedRecords > droppedRecords) {
      const cause = this.lastError === undefined ? '' : ` (last error: ${this.lastError})`;
      throw new LogDeliveryError(`The record was dropped: the log backlog is full${cause}`);
    }
    await this.waitUntilWritten(this.acceptedBytes, timeoutMs);
  }

  /**
   * Writes the backlog, including records that are added meanwhile.
   *
   * @returns `false` if a write failed or the time ran out
   */
  async flush(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (this.writtenBytes < this.acceptedBytes) {
      this.writeNext();
      try {
        await this.waitUntilWritten(this.acceptedBytes, deadline - performance.now());
      } catch {
        return false;
      }
    }
    return true;
  }

  /**
   * Continues in a new file after the old one was renamed. No record is lost or split between the
   * two files: the current batch is finished first, unless writing to the old file fails.
   *
   * @throws Error if the new file cannot be opened. The log then continues in the old one.
   */
  reopen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.reopenRequests.push({ resolve, reject });
      this.writeNext();
    });
  }

  getState(): LogState {
    const oldest = this.current ?? this.next;
    return {
      lastError: this.lastError,
      backlogBytes: this.acceptedBytes - this.writtenBytes,
      droppedRecords: this.droppedRecords,
      oldestUnwrittenMs: oldest === undefined ? 0 : performance.now() - oldest.acceptedAtMs,
    };
  }

  /** Starts the next write, unless one is in progress. */
  private writeNext(): void {
    if (this.isWriting) return;
    const canReopen = this.current === undefined || this.lastError !== undefined;
    if (this.reopenRequests.length > 0 && canReopen) this.reopenOutput();
    this.current ??= this.takeNextBatch();
    const batch = this.current;
    if (batch === undefined) return;
    clearTimeout(this.retryTimer);
    this.isWriting = true;
    this.output.write(batch.bytes.subarray(batch.offset), (error, bytesWritten) => {
      this.isWriting = false;
      if (error === null) {
        this.onWritten(batch, bytesWritten);
        this.writeNext();
      } else if (error.code === 'EAGAIN') {
        this.scheduleRetry(FULL_PIPE_RETRY_MS);
      } else {
        this.onError(error.code ?? error.message);
        this.scheduleRetry(ERROR_RETRY_MS);
      }
    });
  }

  private takeNextBatch(): CurrentBatch | undefined {
    if (this.next === undefined) return undefined;
    const { text, acceptedAtMs } = this.next;
    this.next = undefined;
    return { bytes: Buffer.from(text), offset: 0, acceptedAtMs };
  }

  private scheduleRetry(delayMs: number): void {
    this.retryTimer = setTimeout(() => {
      this.writeNext();
    }, delayMs).unref();
  }

  private onWritten(batch: CurrentBatch, byteLength: number): void {
    batch.offset += byteLength;
    if (batch.offset === batch.bytes.length) this.current = undefined;
    this.writtenBytes += byteLength;
    this.lastError = undefined;
    for (const { position, settle } of this.waiters) {
      if (position > this.writtenBytes) break;
      settle();
    }
    this.reportDrops();
  }

  private onError(code: string): void {
    this.lastError = code;
    for (const { settle } of this.waiters) {
      settle(new LogDeliveryError(`The log destination rejected the record: ${code}`));
    }
  }

  /** Does nothing until half of the backlog is free, so that the report itself is not dropped. */
  private reportDrops(): void {
    const unreported = this.droppedRecords - this.reportedDrops;
    if (unreported > 0 && this.acceptedBytes - this.writtenBytes < MAX_BACKLOG_BYTES / 2) {
      this.reportedDrops = this.droppedRecords;
      this.emit('recover', unreported);
    }
  }

  private reopenOutput(): void {
    const requests = this.reopenRequests;
    this.reopenRequests = [];
    let isDifferentFile: boolean;
    try {
      isDifferentFile = this.output.reopen();
    } catch (error) {
      for (const { reject } of requests) reject(error);
      return;
    }
    if (isDifferentFile) this.rewindToRecordStart();
    for (const { resolve } of requests) resolve();
  }

  /** Makes the new file contain the whole record of which the old file contains only a part. */
  private rewindToRecordStart(): void {
    if (this.current === undefined || this.current.offset === 0) return;
    const { bytes, offset } = this.current;
    const recordStart = bytes.lastIndexOf('\n', offset - 1) + 1;
    this.current.offset = recordStart;
    this.writtenBytes -= offset - recordStart;
  }

  private waitUntilWritten(position: number, timeoutMs: number): Promise<void> {
    if (this.writtenBytes >= position) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (error?: LogDeliveryError) => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => {
        settle(
          new LogDeliveryError(
            `The log destination did not accept the record within ${timeoutMs} ms`,
          ),
        );
      }, timeoutMs);
      const waiter = { position, settle };
      this.waiters.add(waiter);
    });
  }
}
