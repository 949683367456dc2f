import pg from 'pg';
import { describePostgres } from './fixtures/describe-postgres.js';
import { findFreePort } from './fixtures/free-port.js';
import { NotesClients } from './fixtures/notes-clients.js';
import { createNotesProject } from './fixtures/notes-project.js';
import { PgBouncer } from './fixtures/pg-bouncer.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { runService, type Service, startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const ROUNDS = Number(process.env.OUTAGE_ROUNDS ?? 10);
const CLIENTS = 20;
const TIMEOUT_MS = 2000;
const POOL_SIZE = 10;

describePostgres('Outages', () => {
  const server = new PostgresServer();
  const bouncer = new PgBouncer(server);
  let project: string;
  let database: string;
  let service: Service;
  let port: string;

  beforeAll(async () => {
    [project] = await Promise.all([createNotesProject(), server.start()]);
    await bouncer.start();
  });

  beforeEach(async () => {
    database = await server.createDatabase();
    port = String(await findFreePort());
  });

  afterAll(async () => {
    await bouncer.remove();
    await server.remove();
  });

  it.each([
    ['directly', (url: string) => url],
    ['through PgBouncer', (url: string) => bouncer.getUrl(url)],
  ])(
    'lose no acknowledged write of a service that connects %s',
    async (_, getUrl) => {
      await start(getUrl(database));
      const clients = new NotesClients(service.url, CLIENTS);
      const faults: [name: string, run: () => Promise<void>][] = [
        ['stop the server', () => server.stop().then(() => server.start())],
        ['kill the server', () => server.kill().then(() => server.start())],
        ['close all connections', () => closeConnections()],
        [
          'kill the service',
          () => stopService(service, 'SIGKILL').then(() => start(getUrl(database))),
        ],
        ['restart the service', () => stopService(service).then(() => start(getUrl(database)))],
      ];
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [name, run] of faults) {
          await run();
          const { acknowledged } = clients;
          const startedAt = performance.now();
          await waitFor(() => clients.acknowledged > acknowledged + 50, 30_000);
          const recoveryMs = Math.round(performance.now() - startedAt);
          process.stdout.write(`${name}: 50 writes after ${recoveryMs} ms\n`);
        }
      }
      await clients.stop();
      process.stdout.write(
        `${JSON.stringify(clients.counts)}, ${clients.acknowledged} acknowledged writes, longest request ${Math.round(clients.longestMs)} ms\n`,
      );
      expect(clients.wrong).toEqual([]);
      expect(clients.longestMs).toBeLessThan(2 * TIMEOUT_MS + 1000);
      expect(await clients.findLost(server, database)).toEqual([]);
      expect(await stopService(service)).toMatchObject({ code: 0 });
    },
    ROUNDS * 60_000,
  );

  it('open few connections while all queries are blocked, if the server limits statements', async () => {
    const name = new URL(database).pathname.slice(1);
    await server.query(`alter database ${name} set statement_timeout = ${TIMEOUT_MS - 500}`);
    await start(database);
    const clients = new NotesClients(service.url, 50);
    await waitFor(() => clients.acknowledged > 100);
    const client = new pg.Client(database);
    await client.connect();
    await client.query('begin; lock table notes');
    const blockedAt = performance.now();
    await waitFor(() => performance.now() - blockedAt > 10 * TIMEOUT_MS);
    const blocked = await countConnections();
    await client.end();
    const { acknowledged } = clients;
    await waitFor(() => clients.acknowledged > acknowledged + 100, 30_000);
    await clients.stop();
    process.stdout.write(
      `${JSON.stringify(clients.counts)}, ${blocked} connections while blocked, longest request ${Math.round(clients.longestMs)} ms\n`,
    );
    expect(clients.wrong).toEqual([]);
    expect(blocked).toBeLessThanOrEqual(POOL_SIZE);
    expect(clients.longestMs).toBeLessThan(2 * TIMEOUT_MS + 1000);
    expect(await clients.findLost(server, database)).toEqual([]);
    await waitFor(async () => (await countConnections()) <= POOL_SIZE);
    await stopService(service);
    await waitFor(async () => (await countConnections()) === 0);
  });

  it('of the lock of migrations are reported after 60 seconds', async () => {
    await start(database);
    await stopService(service);
    await server.query('delete from schema_migrations', database);
    const client = new pg.Client(database);
    await client.connect();
    await client.query('begin; select id from schema_migrations_lock for update');
    const startedAt = performance.now();
    const { stderr } = await runService({
      cwd: project,
      wrapper: ['sh', '-c', 'exec "$1" dist/migrate.js', 'sh'],
      env: { NODE_ENV: 'production', DATABASE_URL: database },
    });
    expect(performance.now() - startedAt).toBeGreaterThan(59_000);
    expect(stderr).toBe(
      'The database is not available: Waiting for another process that applies migrations: canceling statement due to lock timeout\n',
    );
    await client.end();
  });

  it('do not happen when five replicas that migrate start at once', async () => {
    const services = await Promise.all(
      Array.from({ length: 5 }, () =>
        startService({ cwd: project, env: getEnv(bouncer.getUrl(database)) }),
      ),
    );
    for (const { url } of services) {
      await waitFor(async () => (await fetch(`${url}/system/readyz`)).ok, 30_000);
    }
    const files = services.flatMap(
      ({ stdout }) => stdout.match(/Applied migration \S+\.sql/g) ?? [],
    );
    expect(new Set(files).size).toBe(files.length);
    const rows = await server.query('select file from schema_migrations', database);
    expect(files).toHaveLength(rows.length);
    await Promise.all(services.map((replica) => stopService(replica)));
  });

  async function start(url: string): Promise<void> {
    service = await startService({ cwd: project, env: { ...getEnv(url), PORT: port } });
  }

  function getEnv(url: string): Record<string, string> {
    return {
      NODE_ENV: 'production',
      DATABASE_URL: url,
      DATABASE_MIGRATE: 'true',
      DATABASE_POOL_SIZE: String(POOL_SIZE),
      DATABASE_TIMEOUT_MS: String(TIMEOUT_MS),
    };
  }

  async function closeConnections(): Promise<void> {
    await server.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      database,
    );
  }

  async function countConnections(): Promise<number> {
    const rows = await server.query(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'petsage-api'",
      database,
    );
    return rows.length;
  }
});
