import { constants, createReadStream, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { REQUEST_ID_PREFIX } from './http-connection.js';
import { RunError } from './run-error.js';

const POLL_INTERVAL_MS = 100;

/** How long to wait for a second record after the first one. */
const DUPLICATE_WAIT_MS = 1000;

/** Reads the log of the target and verifies its records. */
export class LogVerifier {
  /** The lines that contain a request id of the smoke runner. */
  private readonly lines: string[] = [];
  private lineCount = 0;
  private incompleteLine = '';
  private hasSecret = false;
  private readonly decoder = new StringDecoder();
  /** Absent when the source is a file. */
  private stream?: Readable;
  private filePosition = 0;

  /**
   * @param source a file, a named pipe, or `-` for standard input
   * @param containsSecret returns whether a line contains something that must not be logged
   */
  constructor(
    private readonly source: string,
    private readonly containsSecret: (line: string) => boolean,
  ) {}

  /**
   * Starts to read. Reads only data that is appended to a file after this call. The file may not exist
   * yet.
   */
  start(): void {
    if (this.source === '-') {
      this.readStream(process.stdin);
      return;
    }
    const stats = statSync(this.source, { throwIfNoEntry: false });
    if (!stats || stats.isFile()) {
      this.filePosition = stats?.size ?? 0;
    } else if (stats.isFIFO()) {
      // Unlike a file stream, a non-blocking socket can be closed while the pipe is idle.
      const fd = openSync(this.source, constants.O_RDONLY | constants.O_NONBLOCK);
      this.readStream(new Socket({ fd, readable: true, writable: false }));
    } else {
      throw new RunError(
        'usageError',
        `--logs ${this.source} is invalid. Use a file, a named pipe or -.`,
      );
    }
  }

  /**
   * Waits for the one record of a request.
   *
   * @param fields the fields of the record, besides `requestId`
   * @returns failures in the form `expected X, got Y`, or an empty array
   */
  async verifyRecord(
    requestId: string,
    fields: Record<string, unknown>,
    timeoutMs: number,
  ): Promise<string[]> {
    const deadline = performance.now() + timeoutMs;
    let lines = await this.readLines(requestId);
    while (lines.length === 0 && performance.now() < deadline) {
      await setTimeout(POLL_INTERVAL_MS);
      lines = await this.readLines(requestId);
    }
    if (lines.length > 0) {
      await setTimeout(DUPLICATE_WAIT_MS);
      lines = await this.readLines(requestId);
    }
    const expected = { requestId, ...fields };
    if (lines.filter((line) => hasFields(line, expected)).length === 1) return [];
    const record = JSON.stringify(expected);
    const found = lines.join(' ') || `none in ${this.lineCount} lines of ${this.source}`;
    return [`expected one log record with ${record} within ${timeoutMs} ms, got ${found}`];
  }

  /** Verifies all lines that were read. The failure does not quote the secret. */
  verifyNoSecret(): string[] {
    return this.hasSecret || this.containsSecret(this.incompleteLine)
      ? ['expected no secret of a request in the log, got one']
      : [];
  }

  stop(): void {
    this.stream?.destroy();
  }

  private readStream(stream: Readable): void {
    this.stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.addChunk(chunk);
    });
  }

  private async readLines(requestId: string): Promise<string[]> {
    if (!this.stream) await this.readFile();
    return this.lines.filter((line) => line.includes(requestId));
  }

  private async readFile(): Promise<void> {
    const size = statSync(this.source, { throwIfNoEntry: false })?.size ?? 0;
    // The file was rotated.
    if (size < this.filePosition) this.filePosition = 0;
    if (size === this.filePosition) return;
    const appended = createReadStream(this.source, { start: this.filePosition });
    for await (const chunk of appended as AsyncIterable<Buffer>) {
      this.filePosition += chunk.length;
      this.addChunk(chunk);
    }
  }

  private addChunk(chunk: Buffer): void {
    const lines = (this.incompleteLine + this.decoder.write(chunk)).split('\n');
    this.incompleteLine = lines.pop() ?? '';
    this.lineCount += lines.length;
    this.lines.push(...lines.filter((line) => line.includes(REQUEST_ID_PREFIX)));
    this.hasSecret ||= lines.some(this.containsSecret);
  }
}

/** Returns whether a line is JSON and has the fields. */
function hasFields(line: string, fields: Record<string, unknown>): boolean {
  try {
    const record = JSON.parse(line) as Record<string, unknown> | null;
    return Object.entries(fields).every(([name, value]) =>
      isDeepStrictEqual(record?.[name], value),
    );
  } catch {
    return false;
  }
}
