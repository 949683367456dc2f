// Starts PostgreSQL for benchmarks.
import { cpus } from 'node:os';
import { PostgresServer } from '../test/fixtures/postgres-server.js';
import { CLIENT_CORE, run } from './machine.js';

/** Starts PostgreSQL on all cores except the core of the server. */
export async function startPostgres() {
  const pid = String(process.pid);
  // Child processes inherit the cores.
  await run('taskset', ['-acp', `1-${cpus().length - 1}`, pid]);
  const postgres = new PostgresServer();
  await postgres.start();
  await run('taskset', ['-acp', CLIENT_CORE, pid]);
  // Otherwise, the disk limits the rate of changes.
  await postgres.query('ALTER SYSTEM SET synchronous_commit = off');
  await postgres.query('SELECT pg_reload_conf()');
  return postgres;
}
