import { setTimeout as wait } from 'node:timers/promises';
import { Connection, NoAnswer } from './connection.js';
import type { Options } from './options.js';

/** The target does not tell in time what is expected. The message says what came in its place. */
export class Unreachable extends Error {}

/** Another version than the expected one answered. */
export class StaleVersion extends Error {}

/** What a service says of itself at /system/info. */
export interface Info {
  version: string;
  revision: string;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/** A commit, or its beginning. */
const COMMIT = /^[\da-f]{7,40}$/;

/** Lets a run begin, go on and end only where the expected version answers. */
export class VersionGate {
  /** Whether it matters which version answers. */
  readonly isClosed: boolean;

  constructor(private readonly options: Options) {
    this.isClosed = options.expectVersion !== undefined || options.expectRevision !== undefined;
  }

  /**
   * Waits until the expected version answers several times in a row, each time on a new connection.
   * Where none is expected, it waits until anything answers.
   *
   * @param tell is called with what is found meanwhile
   * @returns what answered; undefined where that tells no version, and none is expected
   * @throws Unreachable, StaleVersion when the time is over
   */
  async open(tell: (line: string) => void): Promise<Info | undefined> {
    const { waitMs, stable } = this.options;
    const deadline = performance.now() + waitMs;
    let pauseMs = FIRST_PAUSE_MS;
    let inARow = 0;
    for (;;) {
      const found = await this.ask();
      if (!this.isClosed && (!(found instanceof NoAnswer) || found.isRefusal)) {
        return found instanceof NoAnswer ? undefined : found;
      }
      if (!(found instanceof NoAnswer) && this.isExpected(found)) {
        inARow += 1;
        if (inARow >= stable) return found;
        continue;
      }
      inARow = 0;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw this.errorOf(found);
      tell(this.errorOf(found).message);
      await wait(Math.min(pauseMs, leftMs));
      pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
    }
  }

  /**
   * Asks on a connection whether the expected version is at its other end.
   *
   * @throws StaleVersion, NoAnswer
   */
  async check(connection: Connection): Promise<void> {
    if (!this.isClosed) return;
    const info = await infoOf(connection);
    if (!this.isExpected(info)) throw this.errorOf(info);
  }

  /**
   * Asks as often as at the beginning whether it is still the expected version that answers.
   *
   * @throws StaleVersion, Unreachable
   */
  async confirm(): Promise<void> {
    for (let i = 0; this.isClosed && i < this.options.stable; i++) {
      const found = await this.ask();
      if (found instanceof NoAnswer || !this.isExpected(found)) throw this.errorOf(found);
    }
  }

  /** What a new connection leads to. */
  private async ask(): Promise<Info | NoAnswer> {
    const connection = new Connection(this.options);
    try {
      return await infoOf(connection);
    } catch (error) {
      if (error instanceof NoAnswer) return error;
      throw error;
    } finally {
      connection.close();
    }
  }

  private isExpected({ version, revision }: Info): boolean {
    const { expectVersion = version, expectRevision = revision } = this.options;
    return version === expectVersion && isSameRevision(revision, expectRevision);
  }

  private errorOf(found: Info | NoAnswer): Error {
    const { expectVersion, expectRevision } = this.options;
    const parts = [
      ...(expectVersion === undefined ? [] : [`version ${expectVersion}`]),
      ...(expectRevision === undefined ? [] : [`revision ${expectRevision}`]),
    ];
    const expected = `expected ${parts.join(', ') || 'an answer'}`;
    return found instanceof NoAnswer
      ? new Unreachable(`${expected}, found ${found.message}`)
      : new StaleVersion(`${expected}, found version ${found.version}, revision ${found.revision}`);
  }
}

/** @throws NoAnswer where the target does not say */
async function infoOf(connection: Connection): Promise<Info> {
  const { status, text } = await connection.send({ method: 'GET', path: '/system/info' });
  if (status !== 200) throw new NoAnswer(`status ${status} at /system/info`, status < 500);
  try {
    const { version, revision } = JSON.parse(text) as Partial<Info>;
    if (typeof version === 'string' && typeof revision === 'string') return { version, revision };
  } catch {
    // No JSON tells no version either.
  }
  throw new NoAnswer('no version at /system/info', true);
}

/** Of a commit, either may be the beginning alone. */
function isSameRevision(one: string, other: string): boolean {
  if (!COMMIT.test(one) || !COMMIT.test(other)) return one === other;
  return one.startsWith(other) || other.startsWith(one);
}
