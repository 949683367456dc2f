import 'reflect-metadata';
import { constants } from 'node:os';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { LogDestination } from './platform/logging/log-destination.js';
import type { Settings } from './platform/settings/settings.js';

const FLUSH_TIMEOUT_MS = 5000;
const SECOND_SIGNAL_FLUSH_TIMEOUT_MS = 100;

// Older versions cannot load the other modules.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`PetSage API needs Node 20.19 or newer, this is ${process.version}\n`);
  process.exit(1);
}
// Stack traces name the TypeScript sources.
process.setSourceMapsEnabled(true);

let log: LogDestination | undefined;
let shutDownApp: ((signal: NodeJS.Signals) => Promise<void>) | undefined;
let toggleDebugLog: (() => void) | undefined;
let isStopping = false;
// Registered before the other modules are imported, which takes most of the start-up time. A process with
// PID 1 ignores signals that have no handler.
process.on('SIGTERM', handleSignal).on('SIGINT', handleSignal);
// Without a handler, the signal ends the process.
process.on('SIGUSR2', () => toggleDebugLog?.());

const { Logger } = await import('@nestjs/common');
const logger = new Logger('Main');
try {
  const { discoverFeatures } = await import('./platform/features/discovery.js');
  const { findSettingsClasses } = await import('./platform/features/settings-classes.js');
  const { loadSettings } = await import('./platform/settings/load-settings.js');
  const { openLogDestination } = await import('./platform/logging/log-output.js');
  const { createApp } = await import('./app.js');
  const { LogLevelService } = await import('./platform/logging/log-level.service.js');
  const { shutDown } = await import('./platform/lifecycle/shutdown.js');
  const features = await discoverFeatures(new URL('./features/', import.meta.url));
  const { settings, featureSettings } = loadSettings(await findSettingsClasses(features));
  log = await openLogDestination(settings);
  if (settings.LOG_FILE !== undefined) reopenOnSighup(log);
  const app = await createApp(settings, { log, features, featureSettings });
  process.on('uncaughtException', exitWithError);
  toggleDebugLog = () => {
    app.get(LogLevelService).toggleDebug();
  };
  await listen(app, settings);
  shutDownApp = (signal) => shutDown(app, settings, signal);
} catch (error) {
  const { formatStartupError } = await import('./platform/startup-error.js');
  process.stderr.write(`${formatStartupError(error)}\n`);
  await exit(1);
}

async function listen(app: NestExpressApplication, settings: Settings): Promise<void> {
  const { PORT, HOST } = settings;
  await app.init();
  try {
    await app.listen(PORT, HOST);
  } catch (error) {
    const { StartupError } = await import('./platform/startup-error.js');
    const { code } = error as NodeJS.ErrnoException;
    throw new StartupError(
      `Cannot listen on ${HOST}:${PORT} (${code}). Set PORT and HOST to an address that is free.`,
      { cause: error },
    );
  }
  const url = await app.getUrl();
  if (settings.LOG_FILE === undefined && process.stdout.isTTY) {
    const { formatBanner } = await import('./platform/logging/terminal-format.js');
    log?.write(formatBanner(url, settings));
  } else {
    logger.log(`Listening on ${url}${settings.DOCS ? ', documentation at /docs' : ''}`);
  }
}

/** Shuts down at the first signal, and exits immediately at the second one. */
function handleSignal(signal: NodeJS.Signals): void {
  if (isStopping) {
    if (shutDownApp) logger.warn(`Second signal (${signal}): exiting immediately`);
    void exit(128 + constants.signals[signal], SECOND_SIGNAL_FLUSH_TIMEOUT_MS);
    return;
  }
  isStopping = true;
  Promise.resolve(shutDownApp?.(signal)).then(() => exit(0), exitWithError);
}

function reopenOnSighup(file: LogDestination): void {
  process.on('SIGHUP', () => {
    file.reopen().catch((error: unknown) => {
      logger.error(error);
    });
  });
}

function exitWithError(thrown: unknown): void {
  logger.fatal(thrown instanceof Error ? thrown : new Error(`Thrown: ${String(thrown)}`));
  void exit(1);
}

async function exit(code: number, flushTimeoutMs = FLUSH_TIMEOUT_MS): Promise<never> {
  // The last closed connection emits 'close', which logs its request, in this iteration of the event loop.
  await setTimeout(0);
  await setImmediate();
  await log?.flush(flushTimeoutMs);
  process.exit(code);
}
