import { setImmediate, setTimeout } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Settings } from './platform/config.js';
import type { LogDestination } from './platform/logging/log-destination.js';

/** How long the last records may take to leave when the process ends, in milliseconds. */
const LAST_FLUSH_MS = 5000;

let log: LogDestination | undefined;
try {
  // Settings and features are checked while their modules load, so a wrong one ends up here too.
  const { settings } = await import('./platform/config.js');
  const { openLog } = await import('./platform/logging/open-log.js');
  const { createApp } = await import('./app.js');
  log = await openLog(settings);
  if (settings.LOG_FILE !== undefined) reopenOnHangUp(log);
  const app = await createApp({ log });
  handleEvents(app);
  await listen(app, settings);
} catch (error) {
  for (const reason of error instanceof AggregateError ? error.errors : [error]) {
    const message = (reason instanceof Error && reason.message.trim()) || String(reason);
    process.stderr.write(`${message.replace(/\s*\n\s*/g, ' ')}\n`);
  }
  await end(1);
}

/** Ends the process when all that was logged is written, or cannot be. */
async function end(code: number): Promise<never> {
  // The connection that closed last logs its request when this turn of the event loop closes it.
  await setTimeout(0);
  await setImmediate();
  await log?.flush(LAST_FLUSH_MS);
  process.exit(code);
}

function reopenOnHangUp(file: LogDestination): void {
  process.on('SIGHUP', () => {
    file.reopen().catch((error: unknown) => {
      new Logger('Main').error(error);
    });
  });
}

function handleEvents(app: NestExpressApplication): void {
  const logger = new Logger('Main');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      logger.log(`${signal}: stopping`);
      void app.close().then(() => end(0));
    });
  }
  process.on('uncaughtException', (thrown: unknown) => {
    logger.fatal(thrown instanceof Error ? thrown : new Error(`Thrown: ${String(thrown)}`));
    void end(1);
  });
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
