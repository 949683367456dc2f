import { close, constants, fstatSync, openSync, statSync, write } from 'node:fs';
import type { Settings } from '../settings/settings.js';
import { StartupError } from '../startup-error.js';
import { LogDestination, type LogOutput } from './log-destination.js';

/**
 * Opens `LOG_FILE`, or standard output if it is not set. Records are JSON, except on a terminal.
 *
 * @throws Error if the file cannot be opened
 */
export async function openLogDestination(settings: Settings): Promise<LogDestination> {
  const { LOG_FILE } = settings;
  if (LOG_FILE !== undefined) return new LogDestination(new FileOutput(LOG_FILE));
  // Node makes a pipe non-blocking when `process.stdout` is first accessed. On a blocking pipe, a
  // reader that stops would block a write, and with it the exit of the process, forever.
  const { fd, isTTY } = process.stdout;
  // A library that writes to `process.stdout` after its reader has exited must not end the process.
  process.stdout.on('error', () => undefined);
  if (!isTTY) return new LogDestination(createStdoutOutput(fd));
  const { createTerminalFormat } = await import('./terminal-format.js');
  return new LogDestination(
    createStdoutOutput(openNonBlocking(fd)),
    createTerminalFormat(settings),
  );
}

function createStdoutOutput(fd: number): LogOutput {
  return {
    write: (bytes, callback) => {
      write(fd, bytes, callback);
    },
    reopen: () => {
      throw new Error('Standard output cannot be reopened');
    },
  };
}

class FileOutput implements LogOutput {
  private fd: number;

  constructor(private readonly path: string) {
    this.fd = openForAppending(path);
  }

  write(bytes: Uint8Array, callback: Parameters<LogOutput['write']>[1]): void {
    write(this.fd, bytes, callback);
  }

  reopen(): boolean {
    const oldFd = this.fd;
    this.fd = openForAppending(this.path);
    const before = fstatSync(oldFd);
    const after = fstatSync(this.fd);
    // Its records are written, and an error on close cannot be corrected.
    close(oldFd, () => undefined);
    return before.ino !== after.ino || before.dev !== after.dev;
  }
}

/**
 * Opens a terminal again in non-blocking mode. Node leaves terminals blocking, and Ctrl-S stops
 * their output. Without `/proc` (on macOS, for example), returns the descriptor as it is.
 */
function openNonBlocking(fd: number): number {
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return fd;
  }
}

function openForAppending(path: string): number {
  try {
    // Opening a FIFO blocks the event loop until it has a reader.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFIFO() || stats?.isSocket()) throw new Error('a pipe');
    return openSync(path, 'a');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new StartupError(
      `LOG_FILE: expected a file that can be appended to, got ${JSON.stringify(path)} (${code ?? message}). Unset it to log to standard output.`,
      { cause: error },
    );
  }
}
