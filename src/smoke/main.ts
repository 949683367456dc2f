#!/usr/bin/env node
// petsage-smoke: tells whether a deployed service keeps its promises.
import { openSync, writeFileSync } from 'node:fs';
import { packageInfo } from '../platform/package-info.js';
import { junitOf } from './junit.js';
import { HELP, type Options, parseOptions, UsageError } from './options.js';
import { ConsoleReporter, EXIT_CODES, SILENT } from './report.js';
import { run } from './run.js';

// Whoever reads only the beginning still gets the exit code.
process.stdout.on('error', () => undefined);

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(HELP);
  else if (options === 'version') process.stdout.write(`${packageInfo.version}\n`);
  else await smokeTest(options);
} catch (error) {
  const isExpected = error instanceof UsageError || (error as NodeJS.ErrnoException).syscall;
  if (!isExpected) throw error;
  process.stderr.write(`${(error as Error).message}\nSee: petsage-smoke --help\n`);
  // A verdict stays one, where a report of it cannot be written.
  process.exitCode ??= EXIT_CODES.wrongUse;
}

async function smokeTest(options: Options): Promise<void> {
  // Before anything is asked: where it cannot be written, nothing is lost.
  const junit = options.junit === undefined ? undefined : openSync(options.junit, 'w');
  const report = await run(options, options.json ? SILENT : new ConsoleReporter());
  if (report.outcome !== 'passed') process.exitCode = EXIT_CODES[report.outcome];
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  if (junit !== undefined) writeFileSync(junit, junitOf(report));
}
