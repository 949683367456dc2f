import { constants, createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { REQUEST_ID_PREFIX } from './connection.js';
import { UsageError } from './options.js';

/** How often a file is looked at, in milliseconds. */
const POLL_MS = 100;

/** How long it goes on reading when the record is there: it may not be the only one. In milliseconds. */
const SETTLE_MS = 1000;

/** A line may be this long; what is longer is no record of the service. In characters. */
const LINE_LIMIT = 1024 ** 2;

/** The log of the target, as it arrives here. */
export class LogProof {
  /** The lines about requests of runs like this one. */
  private readonly lines: string[] = [];
  private lineCount = 0;
  private rest = '';
  private readonly decoder = new StringDecoder('utf8');
  private hasSecret = false;
  private isMissing = false;
  /** Why nothing more is to come. */
  private over: string | undefined;
  private readonly reading = new AbortController();

  /**
   * @param source a file, a pipe, or `-` for standard input
   * @param isSecret whether a text has what was sent and may not be in the log
   */
  constructor(
    private readonly source: string,
    private readonly isSecret: (text: string) => boolean,
  ) {}

  /**
   * Begins to read: all that a pipe brings, or what is added to a file from now on.
   *
   * @throws UsageError when the file cannot be read
   */
  async start(): Promise<void> {
    if (this.source === '-') {
      this.follow(process.stdin);
      return;
    }
    const file = await statOf(this.source).catch((error: unknown) => {
      throw new UsageError(`--logs: ${(error as Error).message}`);
    });
    if (file === undefined || file.isFile()) {
      // The service makes it with its first record.
      void this.poll(file?.size ?? 0);
      return;
    }
    if (!file.isFIFO()) {
      throw new UsageError(`--logs: expected a file or a pipe, found ${this.source}`);
    }
    const fd = openSync(this.source, constants.O_RDONLY | constants.O_NONBLOCK);
    this.follow(new Socket({ fd, readable: true, writable: false }));
  }

  /**
   * Waits for the one record of a request.
   *
   * @param fields what the record has
   * @returns what is wrong with it, each as `expected …, found …`
   */
  async judgeRecord(
    requestId: string,
    fields: Record<string, unknown>,
    withinMs: number,
  ): Promise<string[]> {
    const deadline = performance.now() + withinMs;
    const found = () => this.lines.filter((line) => line.includes(requestId));
    while (found().length === 0 && performance.now() < deadline && this.over === undefined) {
      await wait(POLL_MS);
    }
    if (found().length > 0) await wait(SETTLE_MS);
    const expected = { requestId, ...fields };
    const records = found().filter((line) => hasFields(line, expected));
    if (records.length === 1) return [];
    const where = this.isMissing ? 'no such file' : `none in ${this.lineCount} lines`;
    const lines = found().join(' ') || where;
    const end = this.over === undefined ? '' : ` (${this.over})`;
    return [
      `expected one record with ${JSON.stringify(expected)} in the log within ${withinMs} ms, found ${lines}${end}`,
    ];
  }

  /** What is wrong with all that was read; it does not quote it. Empty when nothing is. */
  judgeAll(): string[] {
    return this.hasSecret || this.isSecret(this.rest)
      ? ['expected nothing secret in the log, found some that was sent']
      : [];
  }

  stop(): void {
    this.reading.abort();
  }

  private follow(stream: Readable): void {
    stream.on('data', (chunk: Buffer) => {
      this.take(chunk);
    });
    stream.on('error', (error) => (this.over = error.message));
    stream.on('end', () => {
      // The last line too.
      this.take(Buffer.from('\n'));
      this.over = 'it ended';
    });
    this.reading.signal.addEventListener('abort', () => stream.destroy());
  }

  /** Reads what is added to the file, which may be rotated meanwhile. */
  private async poll(from: number): Promise<void> {
    let position = from;
    let { ino } = (await statOf(this.source)) ?? {};
    while (!this.reading.signal.aborted) {
      try {
        const file = await statOf(this.source);
        this.isMissing = file === undefined;
        const size = file?.size ?? 0;
        if (size < position || file?.ino !== ino) position = 0;
        ino = file?.ino;
        if (size > position) {
          const added = createReadStream(this.source, { start: position, end: size - 1 });
          for await (const chunk of added as AsyncIterable<Buffer>) this.take(chunk);
          position = size;
        }
      } catch (error) {
        this.over = (error as Error).message;
        return;
      }
      await wait(POLL_MS, undefined, { signal: this.reading.signal }).catch(() => undefined);
    }
  }

  private take(chunk: Buffer): void {
    const lines = (this.rest + this.decoder.write(chunk)).split('\n');
    this.rest = lines.pop() ?? '';
    if (this.rest.length > LINE_LIMIT) {
      this.hasSecret ||= this.isSecret(this.rest);
      this.rest = this.rest.slice(-LINE_LIMIT / 2);
    }
    this.lineCount += lines.length;
    for (const line of lines) {
      if (line.includes(REQUEST_ID_PREFIX)) this.lines.push(line);
      this.hasSecret ||= this.isSecret(line);
    }
  }
}

/** Whether a line is JSON and has these fields. */
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

/** undefined where nothing is there. */
function statOf(path: string) {
  return stat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}
