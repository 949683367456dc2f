import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import { createApp } from './app.js';
import { runCommand, UsageError } from './platform/command.js';
import { formatCommandError } from './platform/database/database-errors.js';
import { discoverFeatures } from './platform/features/discovery.js';
import { findSettingsClasses } from './platform/features/settings-classes.js';
import type { JobOutcome } from './platform/jobs/job-metrics.js';
import { JobsService } from './platform/jobs/jobs.service.js';
import { JobsSettings } from './platform/jobs/jobs.settings.js';
import { close } from './platform/lifecycle/shutdown.js';
import { openLogDestination } from './platform/logging/log-output.js';
import { loadSettings } from './platform/settings/load-settings.js';

const USAGE = `Usage: npm run job -- NAME

Runs the last due time of a scheduled job now, and exits with 0 if it succeeds.
It uses the settings of the service. See docs/jobs.md.
`;

const FLUSH_TIMEOUT_MS = 5000;

process.setSourceMapsEnabled(true);
await runCommand(
  USAGE,
  { allowPositionals: true },
  ({ positionals }) => {
    if (positionals.length !== 1) throw new UsageError('Expected the name of one job.');
    return runJob(positionals[0] ?? '');
  },
  formatCommandError,
);
// A feature may have timers and connections of its own.
process.exit();

/**
 * Runs a job. The exit code is 1 if it does not succeed.
 *
 * @throws UsageError that lists the names of all jobs, if none has this name
 */
async function runJob(name: string): Promise<void> {
  const features = await discoverFeatures(new URL('./features/', import.meta.url));
  const { settings, featureSettings } = loadSettings(await findSettingsClasses(features));
  // Nothing listens, and nothing else is run.
  Object.assign(settings, { MANAGEMENT_PORT: undefined, DOCS: false });
  const jobsSettings = featureSettings.get(JobsSettings);
  if (jobsSettings === undefined) throw new UsageError('No feature imports JobsModule.');
  Object.assign(jobsSettings, { JOBS: false });
  const log = await openLogDestination(settings);
  const app = await createApp(settings, { log, features, featureSettings });
  try {
    await app.init();
    const jobs = app.get(JobsService);
    if (!jobs.names.includes(name)) {
      throw new UsageError(`No job has the name ${name}. Jobs: ${jobs.names.join(', ')}`);
    }
    const stopped = stopAfterSignal(jobs, settings.SHUTDOWN_TIMEOUT_MS);
    const outcome = await Promise.race([jobs.runNow(name), stopped]);
    if (outcome !== 'success') process.exitCode = 1;
  } finally {
    await close(app).finally(() => log.flush(FLUSH_TIMEOUT_MS));
  }
}

/** Resolves after a signal, when the run has ended or its time limit has passed. */
async function stopAfterSignal(jobs: JobsService, timeoutMs: number): Promise<JobOutcome> {
  await new Promise((resolve) => process.once('SIGTERM', resolve).once('SIGINT', resolve));
  await jobs.stop(timeoutMs);
  // The promise of a run that has ended resolves first, with its outcome.
  await setImmediate();
  return 'interrupted';
}
