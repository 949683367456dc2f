import type { ToPrimary, ToWorker } from './primary.js';

/** Tells the primary something; when it is gone, this process is about to be. */
export function tellPrimary(message: ToPrimary): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

/**
 * Says that this worker takes no more connections, and waits until none does. A client that is
 * answered before would come back to another, at the moment at which that one closes.
 */
export function allDoorsClosed(): Promise<void> {
  return new Promise((resolve) => {
    process.on('message', (message: ToWorker) => {
      if ('doors' in message) resolve();
    });
    tellPrimary({ door: 'closed' });
  });
}
