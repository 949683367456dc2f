#!/usr/bin/env node
// petsage-smoke: verifies a running service.
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { ConsoleReporter } from './console-reporter.js';
import { formatJobSummary } from './job-summary.js';
import { formatJUnitReport } from './junit-report.js';
import { HELP, parseOptions } from './options.js';
import { EXIT_CODES, RunError } from './run-error.js';
import { Runner } from './runner.js';

// Readers such as `head` close the pipe early. The exit code is still needed.
process.stdout.on('error', () => undefined);

try {
  await main();
} catch (error) {
  const { code = '', syscall, message } = error as NodeJS.ErrnoException;
  const isFileError = syscall !== undefined;
  if (!(error instanceof RunError) && !isFileError && !code.startsWith('ERR_PARSE_ARGS')) {
    throw error;
  }
  process.stderr.write(`${message}\nSee petsage-smoke --help.\n`);
  process.exitCode = EXIT_CODES.usageError;
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), process.env);
  if (options === 'help' || options === 'version') {
    process.stdout.write(options === 'help' ? HELP : `${readVersion()}\n`);
    return;
  }
  const runner = new Runner(options, options.json ? undefined : new ConsoleReporter());
  // Opened before the run, so that a wrong path does not lose the results.
  const files = [
    { path: options.junit, flags: 'w', format: formatJUnitReport },
    { path: options.summary, flags: 'a', format: formatJobSummary },
  ].flatMap(({ path, flags, format }) =>
    path === undefined ? [] : [{ fd: openSync(path, flags), format }],
  );
  const report = await runner.run();
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  for (const { fd, format } of files) writeFileSync(fd, format(report));
  process.exitCode = EXIT_CODES[report.outcome];
}

/** Reads the version of the smoke runner. The service of the same release has the same version. */
function readVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
