import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from '../src/app.js';
import { LogDestination, type LogTarget } from '../src/platform/logging/log-destination.js';

/** One record of the log, as it was written. */
export type LogRecord = Record<string, unknown>;

/** The application as production runs it, and its log. */
export interface TestApp {
  app: NestExpressApplication;
  /** Every record written since {@link createTestApp} was called last. */
  log: LogRecord[];
}

/** Takes everything at once, as a fast disk would. */
class Memory implements LogTarget {
  readonly records: LogRecord[] = [];

  write(bytes: Uint8Array, done: Parameters<LogTarget['write']>[1]): void {
    for (const line of Buffer.from(bytes).toString().trimEnd().split('\n')) {
      this.records.push(JSON.parse(line) as LogRecord);
    }
    done(null, bytes.length);
  }

  reopen(): never {
    throw new Error('There is no file to reopen.');
  }
}

const open: NestExpressApplication[] = [];
// nestjs-pino has one root logger for the process, so all applications of a file share this log.
const memory = new Memory();
const destination = new LogDestination(memory);

/**
 * Builds the real application with a log that the test can read, listening on a free port of the
 * loopback interface. It is closed after the tests of the file.
 *
 * @param prepare changes the application before its routes are made, to provoke a fault
 */
export async function createTestApp(
  prepare: (app: NestExpressApplication) => void = () => undefined,
): Promise<TestApp> {
  const app = await createApp({ log: destination });
  prepare(app);
  await app.listen(0, '127.0.0.1');
  open.push(app);
  memory.records.length = 0;
  return { app, log: memory.records };
}

afterAll(async () => {
  await Promise.all(open.map((app) => app.close()));
});
