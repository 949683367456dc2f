import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import request from 'supertest';
import { listen, openSocket, parseResponses } from './fixtures/http.js';
import { itOnLinux } from './fixtures/linux.js';
import { parseLog } from './fixtures/log-records.js';
import { runService, startService, stopService } from './fixtures/process.js';
import { copyBuild } from './fixtures/project.js';

describe('node dist/main.js', () => {
  it('serves the application and exits with code 0 on SIGTERM', async () => {
    const service = await startService();
    await request(service.url)
      .get('/system/healthz')
      .expect(200, { status: 'ok', message: 'PetSage API is alive and running!' });
    expect(await stopService(service)).toMatchObject({ code: 0, stderr: '' });
    await expect(fetch(`${service.url}/system/healthz`)).rejects.toThrow();
  });

  it('exits with code 1 and prints a line for each wrong setting', async () => {
    const env = { PORT: 'http', LOG_LEVEL: 'loud', BODY_LIMIT: 'big', SECRET: 'hunter2' };
    expect(await runService({ env })).toEqual({
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

  it('exits with code 1, and logs no start, when the port is in use', async () => {
    const server = createServer();
    const port = await listen(server);
    const { code, stdout, stderr } = await runService({ env: { PORT: String(port) } });
    server.close();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `Cannot listen on 127.0.0.1:${port} (EADDRINUSE). Set PORT and HOST to an address that is free.\n`,
    );
    expect(stdout).toContain('Starting Nest application');
    expect(stdout).not.toContain('started');
  });

  it('does not mention /docs in the log with DOCS=false', async () => {
    const service = await startService({ env: { DOCS: 'false' } });
    const { stdout } = await stopService(service);
    expect(parseLog(stdout)).toContainEqual(
      expect.objectContaining({ msg: `Listening on ${service.url}` }),
    );
    expect(stdout).not.toContain('/docs');
  });

  // Other systems limit the backlog to less than that.
  itOnLinux('accepts 700 connections in its backlog', async () => {
    const service = await startService();
    service.process.kill('SIGSTOP');
    // With Node's default backlog, 511, the rest would connect only after SIGCONT.
    const sockets = await Promise.all(Array.from({ length: 700 }, () => openSocket(service)));
    service.process.kill('SIGCONT');
    const received = sockets.map((socket) => {
      socket.write('GET /system/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      return text(socket);
    });
    const responses = (await Promise.all(received)).flatMap(parseResponses);
    expect(responses.map(({ status }) => status)).toEqual(Array(700).fill(200));
    await stopService(service);
  });

  it('reads .env in its working directory, after the environment', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'petsage-env-'));
    await symlink(join(await copyBuild(), 'dist'), join(folder, 'dist'));
    await writeFile(join(folder, '.env'), 'PORT=wrong\nLOG_LEVEL=loud\n');
    const { code, stderr } = await runService({ env: { LOG_LEVEL: 'error' }, cwd: folder });
    await rm(folder, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toBe('PORT: expected a whole number from 0 to 65535, got "wrong"\n');
  });
});
