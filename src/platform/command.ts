import { parseArgs, type ParseArgsConfig } from 'node:util';
import { formatStartupError } from './startup-error.js';

/** The arguments of a command are wrong. */
export class UsageError extends Error {}

/**
 * Runs a command. Prints its usage for `--help`, and errors. The exit code is 2 for an error in the arguments, and 1 for
 * another error.
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
    const { code, message } = error as NodeJS.ErrnoException;
    const isUsageError = error instanceof UsageError || code?.startsWith('ERR_PARSE_ARGS') === true;
    process.stderr.write(isUsageError ? `${message}\n\n${usage}` : `${formatError(error)}\n`);
    process.exitCode = isUsageError ? 2 : 1;
  }
}
