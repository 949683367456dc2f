import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { runToEnd, startService, stopService } from './fixtures/process.js';

describe('node dist/main.js', () => {
  it('serves the application until it is told to stop', async () => {
    const service = await startService();
    const answer = await fetch(`${service.url}/system/healthz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      status: 'ok',
      message: 'PetSage API is alive and running!',
    });
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    await expect(fetch(`${service.url}/system/healthz`)).rejects.toThrow();
  });

  it('ends with code 1 and a line for each wrong setting', async () => {
    const env = { PORT: 'http', LOG_LEVEL: 'loud', BODY_LIMIT: 'big', SECRET: 'hunter2' };
    expect(await runToEnd({ env })).toEqual({
      code: 1,
      stdout: '',
      stderr: [
        'PORT: expected a whole number from 0 to 65535, got "http"',
        'LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
        'BODY_LIMIT: expected a size from 1b to 99mb, such as 100kb, got "big"',
        '',
      ].join('\n'),
    });
  });

  it('ends with code 1 and a line that says so when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await runToEnd({ env: { PORT: String(port) } });
    server.close();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `Cannot listen on 127.0.0.1:${port} (EADDRINUSE). Set PORT and HOST to an address that is free.\n`,
    );
  });

  it('lets clients that come all at once wait for their turn', async () => {
    const service = await startService();
    service.process.kill('SIGSTOP');
    // Of Node's own backlog, 511, the others would be connected only after it goes on.
    const clients = Array.from({ length: 700 }, () =>
      connect(Number(new URL(service.url).port), '127.0.0.1'),
    );
    await Promise.all(clients.map((client) => once(client, 'connect')));
    service.process.kill('SIGCONT');
    const answers = clients.map((client) => {
      client.write('GET /system/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      return text(client);
    });
    const heads = (await Promise.all(answers)).map((answer) => answer.split('\r\n', 1)[0]);
    expect(new Set(heads)).toEqual(new Set(['HTTP/1.1 200 OK']));
    await stopService(service);
  });

  it('obeys its settings', async () => {
    const service = await startService({ env: { BODY_LIMIT: '20b' } });
    const answer = await fetch(`${service.url}/api/v1/system/smoke-test`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"ping":"a longer text"}',
    });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toEqual({
      detail: 'The request body is larger than the limit of 20b',
    });
    await stopService(service);
  });

  it('reads a .env file of its working directory, and the environment before that', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'petsage-env-'));
    await symlink(resolve('dist'), join(folder, 'dist'));
    await writeFile(join(folder, '.env'), 'PORT=wrong\nLOG_LEVEL=loud\n');
    const { code, stderr } = await runToEnd({
      env: { LOG_LEVEL: 'error' },
      cwd: folder,
    });
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toBe('PORT: expected a whole number from 0 to 65535, got "wrong"\n');
  });
});
