import { constants } from 'node:os';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { LogDestination } from './platform/logging/log-destination.js';
import type { Settings } from './platform/settings.js';

/** How long the last records may take to leave when the process ends, in milliseconds. */
const LAST_FLUSH_MS = 5000;

/** The same when the process was told twice to end. */
const HURRIED_FLUSH_MS = 100;

/** How long the features may take to release what they hold, in milliseconds. */
const RELEASE_MS = 5000;

// Node warns of what a program calls, not its packages; in the bundle it cannot tell them apart.
process.noDeprecation = true;

let log: LogDestination | undefined;
let stop: ((signal: NodeJS.Signals) => Promise<void>) | undefined;
handleSignals();
// Nothing else is imported before: that takes a while.
const { Logger } = await import('@nestjs/common');
const { Lifecycle } = await import('./platform/lifecycle/lifecycle.js');
try {
  const { loadSettings } = await import('./platform/settings.js');
  const settings = loadSettings();
  const { openLogDestination } = await import('./platform/logging/log-output.js');
  log = await openLogDestination(settings);
  if (settings.LOG_FILE !== undefined) reopenOnHangUp(log);
  const { createApp } = await import('./app.js');
  const app = await createApp(settings, { log });
  process.on('uncaughtException', endByError);
  await listen(app, settings);
  stop = (signal) => drain(app, settings, signal);
} catch (error) {
  for (const reason of error instanceof AggregateError ? error.errors : [error]) {
    const message = (reason instanceof Error && reason.message.trim()) || String(reason);
    process.stderr.write(`${message.replace(/\s*\n\s*/g, ' ')}\n`);
  }
  await end(1);
}

/** Ends the process when all that was logged is written, or cannot be in time. */
async function end(code: number, flushMs = LAST_FLUSH_MS): Promise<never> {
  // The connection that closed last logs its request when this turn of the event loop closes it.
  await setTimeout(0);
  await setImmediate();
  await log?.flush(flushMs);
  process.exit(code);
}

function reopenOnHangUp(file: LogDestination): void {
  process.on('SIGHUP', () => {
    file.reopen().catch((error: unknown) => {
      new Logger('Main').error(error);
    });
  });
}

/**
 * SIGTERM and SIGINT end the process in good order; one more ends it at once, with the code by which
 * a shell knows the signal. Handlers from the first moment on: without one, a process that is the
 * first of its container takes no notice.
 */
function handleSignals(): void {
  let isStopping = false;
  const handle = (signal: NodeJS.Signals) => {
    if (isStopping) {
      if (stop) new Logger('Main').warn(`${signal} once more: ending at once`);
      void end(128 + constants.signals[signal], HURRIED_FLUSH_MS);
      return;
    }
    isStopping = true;
    // There is nothing to wait for before it listens.
    void (stop ? stop(signal) : end(0)).catch(endByError);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, handle);
  }
}

async function drain(
  app: NestExpressApplication,
  { SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS }: Settings,
  signal: NodeJS.Signals,
): Promise<void> {
  const logger = new Logger('Main');
  // Who stops it by hand knows that it stops.
  const delayMs = signal === 'SIGINT' ? 0 : SHUTDOWN_DELAY_MS;
  logger.log(`${signal}: draining, and no more connections in ${delayMs} ms`);
  const cut = await app.get(Lifecycle).drain(delayMs, SHUTDOWN_TIMEOUT_MS);
  if (cut > 0) {
    logger.warn({ cut }, `Requests were cut off: not over within ${SHUTDOWN_TIMEOUT_MS} ms`);
  }
  const isReleased = await Promise.race([app.close().then(() => true), setTimeout(RELEASE_MS)]);
  if (!isReleased) throw new Error(`A feature did not release what it holds in ${RELEASE_MS} ms`);
  logger.log('Stopped');
  await end(0);
}

function endByError(thrown: unknown): void {
  new Logger('Main').fatal(
    thrown instanceof Error ? thrown : new Error(`Thrown: ${String(thrown)}`),
  );
  void end(1);
}

async function listen(app: NestExpressApplication, { PORT, HOST }: Settings): Promise<void> {
  await app.init();
  try {
    await app.listen(PORT, HOST);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `Cannot listen on ${HOST}:${PORT} (${code}). Set PORT and HOST to an address that is free.`,
      { cause: error },
    );
  }
  new Logger('Main').log(`Listening on ${await app.getUrl()}, documentation at /docs`);
}
