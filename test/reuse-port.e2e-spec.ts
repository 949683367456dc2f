import { execFile, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import request from 'supertest';
import { getPort } from './fixtures/http.js';
import { runService, startService, stopService } from './fixtures/process.js';
import { copyBuild } from './fixtures/project.js';
import { waitFor } from './fixtures/wait-for.js';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNodeSupported = major > 22 || (major === 22 && minor >= 12);
// The option is available on other platforms too, but only Linux distributes connections.
const isSupported = isNodeSupported && process.platform === 'linux';

describe('REUSE_PORT=true', () => {
  // Requires Node older than 22.12.
  (isNodeSupported ? it.skip : it)('aborts start-up on Node older than 22.12', async () => {
    expect(await runService({ env: { REUSE_PORT: 'true' } })).toEqual({
      code: 1,
      stdout: '',
      stderr: `REUSE_PORT: expected false with Node ${process.version} (true needs 22.12 or newer), got "true"\n`,
    });
  });

  // Requires Linux and Node 22.12 or newer.
  (isSupported ? it : it.skip)('distributes connections over two processes', async () => {
    const first = await startService({ env: { REUSE_PORT: 'true' } });
    const PORT = String(getPort(first));
    const second = await startService({ env: { REUSE_PORT: 'true', PORT } });
    const startTimes = new Set<string>();
    await waitFor(async () => {
      const response = await request(first.url)
        .get('/system/info')
        .set('Connection', 'close')
        .expect(200);
      startTimes.add((response.body as { startedAt: string }).startedAt);
      return startTimes.size === 2;
    });
    expect(await stopService(first)).toMatchObject({ code: 0, stderr: '' });
    await request(second.url).get('/system/healthz').expect(200);
    expect(await stopService(second)).toMatchObject({ code: 0, stderr: '' });
  });

  // Runs a command in a network namespace in which the kernel moves the connections that a closed
  // listener has not accepted to the other listeners of the port.
  const runInNamespace = [
    ...['--user', '--map-root-user', '--net', '--pid', '--kill-child', '--', 'sh', '-c'],
    'ip link set lo up && echo 1 > /proc/sys/net/ipv4/tcp_migrate_req && exec "$@"',
    'sh',
  ];
  const canMigrate = spawnSync('unshare', [...runInNamespace, 'true']).status === 0;

  // Requires Linux 5.14, Node 22.12 or newer, and the permission to create a network namespace.
  (isSupported && canMigrate ? it : it.skip)(
    'loses no request while processes drain, with net.ipv4.tcp_migrate_req=1',
    async () => {
      const command = [process.execPath, resolve('test/fixtures/drain-under-load.js')];
      const args = [...runInNamespace, ...command];
      const { stdout } = await promisify(execFile)('unshare', args, {
        cwd: await copyBuild(),
        timeout: 50_000,
      });
      expect(JSON.parse(stdout)).toMatchObject({ errors: [] });
    },
  );
});
