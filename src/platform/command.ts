import { parseArgs, type ParseArgsConfig } from 'node:util';
import { formatStartupError } from './startup-error.js';

/** The arguments of a command are wrong. */
export class UsageError extends Error {}

/**
 * Runs a command. Prints its usage for `--help`. Prints errors to standard error: the exit code is 2 for an error in the
 * arguments, and 1 for another error.
 *
 * @param config of `parseArgs()`, without `--help`
 */
export async function runCommand<T extends ParseArgsConfig>(
  usage: string,
  config: T,
  run: (args: ReturnType<typeof parseArgs<T>>) => Promise<void>,
  formatError = formatStartupError,
): Promise<void> {
  if (process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h')) {
    process.stdout.write(usage);
    return;
  }
  try {
    await run(parseArgs(config));
  } catch (error) {
    if (error instanceof UsageError || isParseError(error)) {
      process.stderr.write(`${error.message}\n\n${usage}`);
      process.exitCode = 2;
    } else {
      process.stderr.write(`${formatError(error)}\n`);
      process.exitCode = 1;
    }
  }
}

function isParseError(error: unknown): error is Error {
  return (
    error instanceof TypeError &&
    String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')
  );
}
