import { setTimeout } from 'node:timers/promises';
import { type INestApplication, Logger } from '@nestjs/common';
import type { Settings } from '../settings/settings.js';
import { LifecycleService } from './lifecycle.service.js';

/** Time limit of the shutdown hooks of all modules. */
const HOOKS_TIMEOUT_MS = 5000;

/**
 * Drains and closes the application after a signal. SIGINT skips the delay: there is no load balancer to
 * wait for.
 *
 * @throws Error if the shutdown hooks exceed their time limit
 */
export async function shutDown(
  app: INestApplication,
  { SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS }: Settings,
  signal: NodeJS.Signals,
): Promise<void> {
  const logger = new Logger('Shutdown');
  const delayMs = signal === 'SIGINT' ? 0 : SHUTDOWN_DELAY_MS;
  logger.log(`${signal}: draining, the listener closes in ${delayMs} ms`);
  const aborted = await app.get(LifecycleService).drain(delayMs, SHUTDOWN_TIMEOUT_MS);
  if (aborted > 0) {
    logger.warn({ aborted }, `Requests were aborted after ${SHUTDOWN_TIMEOUT_MS} ms`);
  }
  await close(app, signal);
  logger.log('Stopped');
}

/**
 * Closes the application.
 *
 * @param signal is passed to the shutdown hooks
 * @throws Error if they exceed their time limit
 */
export async function close(app: INestApplication, signal?: NodeJS.Signals): Promise<void> {
  // The interface of Nest does not declare the parameter.
  const closeApp: (signal?: NodeJS.Signals) => Promise<void> = app.close.bind(app);
  const timer = new AbortController();
  const isClosed = await Promise.race([
    closeApp(signal).then(() => true),
    setTimeout(HOOKS_TIMEOUT_MS, false, { signal: timer.signal }),
  ]).finally(() => {
    timer.abort();
  });
  if (!isClosed) {
    throw new Error(`A module's shutdown hook did not finish within ${HOOKS_TIMEOUT_MS} ms`);
  }
}
