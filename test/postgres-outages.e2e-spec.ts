import { describePostgres } from './fixtures/describe-postgres.js';
import { parseLog } from './fixtures/log-records.js';
import { NotesClients } from './fixtures/notes-clients.js';
import { createNotesProject } from './fixtures/notes-project.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { type Service, startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

const TIMEOUT_MS = 2000;

describePostgres('A service whose PostgreSQL server fails', () => {
  const server = new PostgresServer();
  let project: string;

  beforeAll(async () => {
    project = await createNotesProject();
  });

  beforeEach(() => server.start());

  afterEach(() => server.stop());

  afterAll(() => server.remove());

  const start = (database: string) =>
    startService({
      cwd: project,
      env: {
        NODE_ENV: 'production',
        DATABASE_URL: database,
        DATABASE_MIGRATE: 'true',
        DATABASE_TIMEOUT_MS: String(TIMEOUT_MS),
      },
    });

  it('starts while the server is down, and recovers', async () => {
    const database = await server.createDatabase();
    await server.stop();
    const service = await start(database);

    await expectStatus(service, '/system/healthz', 200);
    const { checks } = (await expectStatus(service, '/system/readyz', 503)) as { checks: object };
    expect(checks).toMatchObject({ database: 'down', migrations: 'down' });
    const response = await fetch(`${service.url}/notes`);
    expect(response.status).toBe(503);
    expect(response.headers.get('Retry-After')).toBe('1');
    expect(await response.json()).toEqual({ detail: 'Service Unavailable' });
    expect(service.stdout).toContain('ECONNREFUSED');

    await server.start();
    await waitFor(async () => (await fetch(`${service.url}/notes`)).ok);
    await waitFor(async () => (await fetch(`${service.url}/system/readyz`)).ok);
    await server.stop();
    await expectStatus(service, '/system/readyz', 200);
    await expectStatus(service, '/notes', 503);
    await server.start();
    expect(await stopService(service)).toMatchObject({ code: 0 });
  });

  it.each([
    ['stopped', () => server.stop()],
    ['killed', () => server.kill()],
  ])(
    'responds with 503 while the server is %s, and keeps each acknowledged write',
    async (_, end) => {
      const database = await server.createDatabase();
      const service = await start(database);
      const clients = new NotesClients(service.url, 8);
      await waitFor(() => clients.acknowledged > 100);
      await end();
      await waitFor(() => (clients.counts[503] ?? 0) > 50, 20_000);
      await server.start();
      const acknowledged = clients.acknowledged;
      await waitFor(() => clients.acknowledged > acknowledged + 100, 20_000);
      await clients.stop();

      expect(clients.wrong).toEqual([]);
      expect(clients.counts[0]).toBeUndefined();
      expect(clients.longestMs).toBeLessThan(2 * TIMEOUT_MS);
      expect(await clients.findLost(server, database)).toEqual([]);
      const { code, stdout } = await stopService(service);
      expect(code).toBe(0);
      const errors = parseLog(stdout).filter(({ context }) => context === 'ErrorFilter');
      expect(errors).toHaveLength(clients.counts[503] ?? 0);
      for (const { err } of errors) {
        expect((err as Error).stack).toMatch(
          /^DatabaseUnavailableException: .*\ncaused by: \w*error: /is,
        );
      }
    },
  );

  it('keeps each acknowledged write of a service that is killed', async () => {
    const database = await server.createDatabase();
    const service = await start(database);
    const clients = new NotesClients(service.url, 8);
    await waitFor(() => clients.acknowledged > 100);
    await stopService(service, 'SIGKILL');
    await clients.stop();

    expect(clients.wrong).toEqual([]);
    expect(await clients.findLost(server, database)).toEqual([]);
    await waitFor(async () => (await findConnections(database)).length === 0);
  });

  async function findConnections(database: string): Promise<unknown[]> {
    const name = new URL(database).pathname.slice(1);
    return server.query(`select pid from pg_stat_activity where datname = '${name}'`);
  }
});

async function expectStatus(service: Service, path: string, status: number): Promise<unknown> {
  const response = await fetch(`${service.url}${path}`);
  expect(response.status).toBe(status);
  return response.json();
}
