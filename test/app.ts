import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from '../src/app.js';

/** One record of the log, as it was written. */
export type LogRecord = Record<string, unknown>;

/** The application as production runs it, and its log. */
export interface TestApp {
  app: NestExpressApplication;
  /** Every record written since {@link createTestApp} was called last. */
  log: LogRecord[];
}

const open: NestExpressApplication[] = [];
const log: LogRecord[] = [];

/**
 * Builds the real application with a log that the test can read, listening on a free port of the
 * loopback interface. It is closed after the tests of the file.
 *
 * @param prepare changes the application before its routes are made, to provoke a fault
 */
export async function createTestApp(
  prepare: (app: NestExpressApplication) => void = () => undefined,
): Promise<TestApp> {
  // The root logger is one for the process, so all applications of a file share this log.
  const app = await createApp({
    log: { write: (line) => void log.push(JSON.parse(line) as LogRecord) },
  });
  prepare(app);
  await app.listen(0, '127.0.0.1');
  open.push(app);
  log.length = 0;
  return { app, log };
}

afterAll(async () => {
  await Promise.all(open.map((app) => app.close()));
});
