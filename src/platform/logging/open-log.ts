import { close, constants, fstatSync, openSync, statSync, write } from 'node:fs';
import type { Settings } from '../settings.js';
import { LogDestination, type LogTarget } from './log-destination.js';

/**
 * Opens where the log goes: `LOG_FILE`, or standard output, which a person at a terminal gets to
 * read and everybody else as JSON.
 *
 * @throws Error that names the setting, when the file cannot be opened
 */
export async function openLog({ LOG_FILE }: Settings): Promise<LogDestination> {
  if (LOG_FILE !== undefined) return new LogDestination(new LogFile(LOG_FILE));
  // Node makes a pipe non-blocking the first time that process.stdout is touched. On a blocking one,
  // a reader that has stopped would hold a write, and with it the end of the process, forever. What
  // anybody else writes there must not end the process when the reader is gone.
  const { fd: stdout, isTTY } = process.stdout.on('error', () => undefined);
  const fd = isTTY ? openNonBlocking(stdout) : stdout;
  const output: LogTarget = {
    write: (bytes, done) => {
      write(fd, bytes, done);
    },
    reopen: () => {
      throw new Error('Standard output cannot be opened anew');
    },
  };
  return new LogDestination(output, isTTY ? await forPeople() : undefined);
}

/** A file that is appended to. */
class LogFile implements LogTarget {
  private fd: number;

  constructor(private readonly path: string) {
    this.fd = openForAppending(path);
  }

  write(bytes: Uint8Array, done: Parameters<LogTarget['write']>[1]): void {
    write(this.fd, bytes, done);
  }

  reopen(): boolean {
    const old = this.fd;
    this.fd = openForAppending(this.path);
    const [before, after] = [fstatSync(old), fstatSync(this.fd)];
    // What the old file says as it closes is too late for anybody.
    close(old, () => undefined);
    return before.ino !== after.ino || before.dev !== after.dev;
  }
}

/** A terminal can be stopped (Ctrl-S), and Node leaves it blocking: it gets a descriptor more. */
function openNonBlocking(fd: number): number {
  try {
    return openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    return fd;
  }
}

function openForAppending(path: string): number {
  try {
    // A pipe would hold this thread until somebody reads, and then the writes to it.
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isFIFO() || found?.isSocket()) throw new Error('a pipe');
    return openSync(path, 'a');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(
      `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(path)} (${code ?? message}); unset it for standard output`,
      { cause: error },
    );
  }
}

async function forPeople(): Promise<(line: string) => string> {
  const { default: pretty } = await import('pino-pretty');
  return pretty.prettyFactory({
    colorize: pretty.isColorSupported,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'service,version',
  });
}
