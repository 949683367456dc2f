import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findFreePort } from './fixtures/free-port.js';
import { copyBuild, createProject } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

const MODULE = `
import { setTimeout } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { JobsModule } from '../../platform/jobs/jobs.module.js';
import { ScheduledJob } from '../../platform/jobs/scheduled-job.decorator.js';

@Injectable()
@ScheduledJob({ name: 'reminders', cron: '0 3 1 1 *', timeoutMs: 60_000 })
class RemindersJob {
  run(_signal: AbortSignal, dueAt: Date): Promise<void> {
    process.stdout.write('due at ' + dueAt.toISOString() + '\\n');
    return Promise.resolve();
  }
}

@Injectable()
@ScheduledJob({ name: 'failing', cron: '0 3 1 1 *', timeoutMs: 60_000 })
class FailingJob {
  run(): Promise<void> {
    return Promise.reject(new Error('No connection to the mail server'));
  }
}

@Injectable()
@ScheduledJob({ name: 'waiting', cron: '0 3 1 1 *', timeoutMs: 60_000 })
class WaitingJob {
  async run(signal: AbortSignal): Promise<void> {
    process.stdout.write('waiting\\n');
    await setTimeout(600_000, undefined, { signal });
  }
}

@Injectable()
@ScheduledJob({ name: 'uninterruptible', cron: '0 3 1 1 *', timeoutMs: 60_000 })
class UninterruptibleJob {
  async run(): Promise<void> {
    process.stdout.write('waiting\\n');
    await setTimeout(25_000);
  }

  /** With PENDING_HOOK, a hook that does not end. */
  async onApplicationShutdown(): Promise<void> {
    if (process.env.PENDING_HOOK) await new Promise(() => undefined);
  }
}

@Module({
  imports: [JobsModule],
  providers: [RemindersJob, FailingJob, WaitingJob, UninterruptibleJob],
})
export class RemindersModule {}
`;

interface Command {
  process: ChildProcess;
  stdout: string;
  stderr: string;
  exitCode: Promise<number | null>;
}

describe('npm run job', () => {
  let project: string;

  beforeAll(async () => {
    project = await createProject({ 'src/features/reminders/reminders.module.ts': MODULE });
  });

  function start(args: string[], env = {}, cwd = project): Command {
    const child = spawn(process.execPath, ['dist/job.js', ...args], {
      cwd,
      env: { PATH: process.env.PATH, NODE_ENV: 'test', DATA_DIR: join(project, 'data'), ...env },
    });
    const exitCode = once(child, 'close').then(([code]) => code as number | null);
    const command = { process: child, stdout: '', stderr: '', exitCode };
    child.stdout.setEncoding('utf8').on('data', (data: string) => (command.stdout += data));
    child.stderr.setEncoding('utf8').on('data', (data: string) => (command.stderr += data));
    return command;
  }

  it('runs the last due time of a job, each time', async () => {
    const [, year = ''] = /^(\d+)/.exec(new Date(Date.now() - 3 * 3_600_000).toISOString()) ?? [];
    for (let count = 0; count < 2; count += 1) {
      const command = start(['reminders']);
      expect(await command.exitCode).toBe(0);
      expect(command.stdout).toContain(`due at ${year}-01-01T03:00:00.000Z\n`);
      expect(command.stdout).toContain('Job reminders: success');
      expect(command.stderr).toBe('');
    }
  });

  it('opens no port', async () => {
    const ports = [await findFreePort(), await findFreePort()];
    const [PORT, MANAGEMENT_PORT] = ports.map(String);
    const command = start(['waiting'], { HOST: '127.0.0.1', PORT, MANAGEMENT_PORT });
    await waitFor(() => command.stdout.includes('waiting\n'));
    for (const port of ports) {
      await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED');
    }
    command.process.kill('SIGTERM');
    await command.exitCode;
  });

  it('exits with 1 if the job throws', async () => {
    const command = start(['failing']);
    expect(await command.exitCode).toBe(1);
    expect(command.stdout).toContain('No connection to the mail server');
  });

  it('aborts the job after SIGTERM, and exits with 1', async () => {
    const command = start(['waiting']);
    await waitFor(() => command.stdout.includes('waiting\n'));
    command.process.kill('SIGTERM');
    expect(await command.exitCode).toBe(1);
    expect(command.stdout).toContain('Job waiting: interrupted');
  });

  it.each([{}, { PENDING_HOOK: 'true' }])(
    'exits with 1 after SHUTDOWN_TIMEOUT_MS if the job ignores SIGTERM, with %j',
    async (env) => {
      // The claim of the job is kept.
      const DATA_DIR = await mkdtemp(join(project, 'data-'));
      const command = start(['uninterruptible'], { SHUTDOWN_TIMEOUT_MS: '500', DATA_DIR, ...env });
      await waitFor(() => command.stdout.includes('waiting\n'));
      command.process.kill('SIGTERM');
      expect(await command.exitCode).toBe(1);
      expect(command.stdout).toContain('Jobs did not end within 500 ms');
      expect(command.stdout).not.toContain('Job uninterruptible: success');
    },
  );

  it.each([
    [
      ['birthdays'],
      'No job has the name birthdays. Jobs: failing, reminders, uninterruptible, waiting',
    ],
    [[], 'Expected the name of one job.'],
    [['reminders', 'failing'], 'Expected the name of one job.'],
    [['--now'], "Unknown option '--now'"],
  ])('rejects the arguments %j', async (args, message) => {
    const command = start(args);
    expect(await command.exitCode).toBe(2);
    expect(command.stderr).toContain(message);
    expect(command.stderr).toContain('Usage: npm run job -- NAME');
  });

  it('says that no feature has a job', async () => {
    const command = start(['reminders'], {}, await copyBuild());
    expect(await command.exitCode).toBe(2);
    expect(command.stderr).toContain('No feature imports JobsModule.');
  });

  it('prints one line if the database is not available', async () => {
    const port = await findFreePort();
    const command = start(['reminders'], { DATABASE_URL: `postgres://127.0.0.1:${port}/petsage` });
    expect(await command.exitCode).toBe(1);
    expect(command.stderr).toBe(
      `The database is not available: connect ECONNREFUSED 127.0.0.1:${port}\n`,
    );
  });

  it('prints one line if a migration is not applied', async () => {
    const command = start(['reminders'], {
      DATABASE_MIGRATE: 'false',
      DATA_DIR: await mkdtemp(join(project, 'data-')),
    });
    expect(await command.exitCode).toBe(1);
    expect(command.stderr).toMatch(/^Migrations are not yet applied: .+\n$/);
  });

  it('exits with 1 if the settings are invalid', async () => {
    const command = start(['reminders'], { NODE_ENV: 'production' });
    expect(await command.exitCode).toBe(1);
    expect(command.stderr).toContain('DATABASE_URL: ');
  });
});
