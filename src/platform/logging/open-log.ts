import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import SonicBoom from 'sonic-boom';
import type { Settings } from '../config.js';
import { BACKLOG_LIMIT, LogDestination } from './log-destination.js';

/** A log file that is checked before it is opened anew: SonicBoom itself would be left without. */
class LogFile extends SonicBoom.default {
  constructor(private readonly path: string) {
    super({ dest: path, append: true, maxLength: BACKLOG_LIMIT });
  }

  override reopen(): void {
    closeSync(openSync(this.path, 'a'));
    super.reopen();
  }
}

/**
 * Opens where the log goes: `LOG_FILE`, or standard output, which a person at a terminal gets to
 * read and everybody else as JSON.
 *
 * @throws Error that names the setting, when the file cannot be opened
 */
export async function openLog({ LOG_FILE }: Settings): Promise<LogDestination> {
  if (LOG_FILE !== undefined) {
    const file = new LogFile(LOG_FILE);
    try {
      await once(file, 'ready');
    } catch (error) {
      throw new Error(
        `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(LOG_FILE)} (${String((error as NodeJS.ErrnoException).code)})`,
        { cause: error },
      );
    }
    return new LogDestination(file);
  }
  // Node makes a pipe non-blocking the first time that process.stdout is touched. On a blocking one,
  // a reader that has stopped would hold a write, and with it the end of the process, forever. What
  // anybody else writes there must not end the process when the reader is gone.
  process.stdout.on('error', () => undefined);
  const output = new SonicBoom.default({ fd: process.stdout.fd, maxLength: BACKLOG_LIMIT });
  return new LogDestination(output, process.stdout.isTTY ? await forPeople() : undefined);
}

async function forPeople(): Promise<(line: string) => string> {
  const { default: pretty } = await import('pino-pretty');
  return pretty.prettyFactory({
    colorize: pretty.isColorSupported,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'service,version',
  });
}
