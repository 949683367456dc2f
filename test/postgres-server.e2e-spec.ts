import { describePostgres } from './fixtures/describe-postgres.js';
import { PgBouncer } from './fixtures/pg-bouncer.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { waitFor } from './fixtures/wait-for.js';

describePostgres('PostgresServer', () => {
  const server = new PostgresServer();
  const bouncer = new PgBouncer(server);
  let url: string;

  beforeAll(async () => {
    await server.start();
    await bouncer.start();
    url = await server.createDatabase();
    await server.query('CREATE TABLE pets (name text)', url);
  });

  afterAll(async () => {
    await bouncer.remove();
    await server.remove();
  });

  it.each([
    ['stopped', () => server.stop()],
    ['killed', () => server.kill()],
  ])('keeps committed rows when it is %s during a transaction', async (name, end) => {
    await server.query(`INSERT INTO pets VALUES ('${name}')`, url);
    const transaction = server.query(`BEGIN; DELETE FROM pets; SELECT pg_sleep(600)`, url);
    const closed = expect(transaction).rejects.toThrow(/terminat/);
    await waitFor(async () => {
      const sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
      return (await server.query(sleeping)).length === 1;
    });
    await end();
    await closed;
    await expect(server.query('SELECT', url)).rejects.toThrow('ECONNREFUSED');
    await server.start();
    expect(await server.query(`SELECT * FROM pets WHERE name = '${name}'`, url)).toEqual([
      { name },
    ]);
  });

  it('is reachable through PgBouncer, which pools the connections of transactions', async () => {
    const pooled = bouncer.getUrl(url);
    const sql = 'SELECT current_database() AS name, pg_backend_pid() AS pid';
    const rows = [await server.query(sql, pooled), await server.query(sql, pooled)];
    const name = new URL(url).pathname.slice(1);
    const pid = expect.any(Number) as number;
    expect(rows[0]).toEqual([{ name, pid }]);
    expect(rows[1]).toEqual(rows[0]);
  });
});
