import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Settings } from './platform/config.js';
import { LogDestination } from './platform/logging/log-destination.js';

/** How long the last records may take to leave when the process ends, in milliseconds. */
const LAST_FLUSH_MS = 5000;

let app: NestExpressApplication | undefined;
try {
  // Settings and features are checked while their modules load, so a wrong one ends up here too.
  const { createApp } = await import('./app.js');
  app = await createApp();
  handleEvents(app);
  await listen(app);
} catch (error) {
  for (const reason of error instanceof AggregateError ? error.errors : [error]) {
    const message = (reason instanceof Error && reason.message.trim()) || String(reason);
    process.stderr.write(`${message.replace(/\s*\n\s*/g, ' ')}\n`);
  }
  await end(1, app);
}

/** Ends the process when all that was logged is written, or cannot be. */
async function end(code: number, of: NestExpressApplication | undefined): Promise<never> {
  await of?.get(LogDestination).flush(LAST_FLUSH_MS);
  process.exit(code);
}

function handleEvents(of: NestExpressApplication): void {
  const logger = new Logger('Main');
  const config = of.get<ConfigService<Settings, true>>(ConfigService);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      logger.log(`${signal}: stopping`);
      void of.close().then(() => end(0, of));
    });
  }
  if (config.get('LOG_FILE', { infer: true }) !== undefined) {
    process.on('SIGHUP', () => {
      try {
        of.get(LogDestination).reopen();
      } catch (error) {
        logger.error(error);
      }
    });
  }
  process.on('uncaughtException', (error) => {
    logger.fatal(error);
    void end(1, of);
  });
}

async function listen(on: NestExpressApplication): Promise<void> {
  const config = on.get<ConfigService<Settings, true>>(ConfigService);
  const port = config.get('PORT', { infer: true });
  const host = config.get('HOST', { infer: true });
  await on.init();
  try {
    await on.listen(port, host);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `Cannot listen on ${host}:${port} (${code}). Set PORT and HOST to an address that is free.`,
      { cause: error },
    );
  }
  new Logger('Main').log(`Listening on ${await on.getUrl()}, documentation at /docs`);
}
