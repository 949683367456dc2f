import { setTimeout } from 'node:timers/promises';
import { HttpConnection } from './http-connection.js';
import type { Options } from './options.js';
import { ResponseError, RunError } from './run-error.js';

/** The part of `GET /system/info` that identifies a deployment. */
export interface ServiceInfo {
  version: string;
  revision: string;
}

const RETRY_INTERVAL_MS = 500;

/** A full or an abbreviated Git commit hash. */
const COMMIT = /^[\da-f]{7,40}$/;

/** Verifies before, during and after the probes that the expected version responds. */
export class VersionGate {
  /** Whether a version or a revision is expected. */
  readonly isEnabled: boolean;

  constructor(private readonly options: Options) {
    this.isEnabled = options.expectVersion !== undefined || options.expectRevision !== undefined;
  }

  /**
   * Waits until the expected version responds several times in a row, each time on a new connection.
   * Without an expected version, waits for any response.
   *
   * @param onRetry is called before each pause with the reason and the time left
   * @returns the version that responded; undefined when the target does not report its version
   * @throws RunError after `waitMs`
   */
  async waitForVersion(
    onRetry: (reason: string, remainingMs: number) => void,
  ): Promise<ServiceInfo | undefined> {
    const { waitMs, stable } = this.options;
    const deadline = performance.now() + waitMs;
    let matches = 0;
    for (;;) {
      try {
        const info = await this.verifyNewConnection();
        matches += 1;
        if (!this.isEnabled || matches === stable) return info;
      } catch (error) {
        const remainingMs = deadline - performance.now();
        if (!(error instanceof RunError) || remainingMs <= 0) throw error;
        matches = 0;
        onRetry(error.message, remainingMs);
        await setTimeout(Math.min(RETRY_INTERVAL_MS, remainingMs));
      }
    }
  }

  /**
   * Verifies on new connections that the expected version still responds.
   *
   * @throws RunError
   */
  async confirmVersion(): Promise<void> {
    for (let i = 0; this.isEnabled && i < this.options.stable; i++) {
      await this.verifyNewConnection();
    }
  }

  /**
   * Verifies that the expected version responds on a connection.
   *
   * @returns the version that responded; undefined when the target does not report its version and none
   *   is expected
   * @throws RunError when another version responds, ResponseError when no version responds
   */
  async verifyConnection(connection: HttpConnection): Promise<ServiceInfo | undefined> {
    const info = await readInfo(connection);
    if (!this.isEnabled) return info;
    if (!info) throw new ResponseError('expected a version at /system/info, got none');
    const { version, revision } = info;
    const { expectVersion = version, expectRevision = revision } = this.options;
    if (version === expectVersion && isSameRevision(revision, expectRevision)) return info;
    throw new RunError(
      'wrongVersion',
      `expected version ${expectVersion}, revision ${expectRevision}, got version ${version}, revision ${revision}`,
    );
  }

  private async verifyNewConnection(): Promise<ServiceInfo | undefined> {
    const connection = new HttpConnection(this.options);
    try {
      return await this.verifyConnection(connection);
    } finally {
      connection.close();
    }
  }
}

/**
 * @returns undefined when the target responds without a version
 * @throws ResponseError
 */
async function readInfo(connection: HttpConnection): Promise<ServiceInfo | undefined> {
  const { status, text } = await connection.send({ method: 'GET', path: '/system/info' });
  if (status >= 500)
    throw new ResponseError(`expected status 200 from /system/info, got ${status}`);
  try {
    const { version, revision } = JSON.parse(text) as Partial<ServiceInfo>;
    if (typeof version === 'string' && typeof revision === 'string') return { version, revision };
  } catch {
    // Not JSON.
  }
  return undefined;
}

/** Compares two revisions. Either commit hash may be abbreviated. */
function isSameRevision(a: string, b: string): boolean {
  if (!COMMIT.test(a) || !COMMIT.test(b)) return a === b;
  return a.startsWith(b) || b.startsWith(a);
}
