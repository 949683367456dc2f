import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { pipelineRequests } from './fixtures/http.js';
import { itOnLinux } from './fixtures/linux.js';
import { type LogRecord, parseLog } from './fixtures/log-records.js';
import {
  openPipe,
  createPreloadOption,
  type Service,
  startService,
  stopService,
} from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

interface Info {
  startedAt: string;
  uptimeSeconds: number;
}

async function waitForState(service: Service, check: string, state: string): Promise<void> {
  await waitFor(async () => {
    const response = await request(service.url).get('/system/readyz');
    return (response.body as { checks: Record<string, string> }).checks[check] === state;
  });
}

/** Returns the log records about changes of the state of a readiness check. */
function filterByCheck(output: string, check: string): LogRecord[] {
  return parseLog(output).filter((record) => record.check === check);
}

describe('GET /system/readyz', () => {
  it('returns 200 with the state of each check, and writes nothing to the log', async () => {
    const { app, log } = await createTestApp();
    await request(app.getHttpServer())
      .get('/system/readyz')
      .expect('Cache-Control', 'no-store')
      .expect(200, { status: 'ok', checks: { event_loop: 'up', log: 'up' } });
    await request(app.getHttpServer()).head('/system/readyz').expect(200);
    expect(log).toEqual([]);
  });

  // Requires SIGUSR2.
  itOnLinux('returns degraded while the event loop is blocked, and ok afterwards', async () => {
    // The first SIGUSR2 blocks the event loop for 1.5 s at a time, the second one stops that.
    const blockOnSignal = `
      let isBlocking = false;
      function block() {
        const until = performance.now() + 1500;
        while (performance.now() < until);
        if (isBlocking) setTimeout(block, 150);
      }
      process.on('SIGUSR2', () => {
        isBlocking = !isBlocking;
        if (isBlocking) block();
      });`;
    const service = await startService({
      env: { NODE_OPTIONS: createPreloadOption(blockOnSignal) },
    });
    service.process.kill('SIGUSR2');
    await waitForState(service, 'event_loop', 'down');
    await request(service.url)
      .get('/system/readyz')
      .expect(200, { status: 'degraded', checks: { event_loop: 'down', log: 'up' } });
    service.process.kill('SIGUSR2');
    await waitForState(service, 'event_loop', 'up');
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    expect(filterByCheck(stdout, 'event_loop')).toEqual([
      expect.objectContaining({
        level: 'warn',
        msg: 'Readiness check event_loop is down',
        reason: expect.stringMatching(
          /^The average event loop delay over 5000 ms was \d+ ms, the limit is 250 ms$/,
        ) as string,
        requestId: expect.any(String) as string,
      }),
      expect.objectContaining({
        level: 'info',
        msg: 'Readiness check event_loop is up',
        requestId: expect.any(String) as string,
      }),
    ]);
    expect(stdout).not.toContain('"msg":"Request completed"');
  });

  // Requires mkfifo.
  itOnLinux(
    'returns degraded while the log destination is stalled, and ok afterwards',
    async () => {
      const { readable, writable } = await openPipe();
      const service = await startService({ stdout: writable });
      closeSync(writable);
      expect(await pipelineRequests(service, 'fill-', 1000)).toBe(1000);
      await waitForState(service, 'log', 'down');
      // More records than the pipe and the backlog hold.
      expect(await pipelineRequests(service, 'drop-', 25_000)).toBe(25_000);
      const { text: metrics } = await request(service.url).get('/metrics').expect(200);
      expect(metrics).toContain('petsage_readiness_check_up{check="log",optional="true"} 0\n');
      expect(metrics).toMatch(/^petsage_log_backlog_bytes [1-9]\d{6}$/m);
      expect(metrics).toMatch(/^petsage_log_oldest_unwritten_seconds [1-9]/m);
      expect(metrics).toMatch(/^petsage_log_dropped_records_total [1-9]/m);
      await request(service.url)
        .get('/system/readyz')
        .expect(200, { status: 'degraded', checks: { event_loop: 'up', log: 'down' } });
      const output = text(new Socket({ fd: readable, readable: true, writable: false }));
      await waitForState(service, 'log', 'up');
      await stopService(service);
      expect(filterByCheck(await output, 'log').map(({ reason }) => reason)).toEqual([
        expect.stringMatching(
          /^The log destination has not accepted a record for \d+ ms, \d+ bytes are not yet written$/,
        ),
        undefined,
      ]);
    },
  );
});

describe('GET /system/info', () => {
  it('returns the version, the revision, the version of Node and the uptime', async () => {
    const { app } = await createTestApp({ settings: { GIT_REVISION: '4f2a9c1' } });
    const sentAt = Date.now();
    const response = await request(app.getHttpServer())
      .get('/system/info')
      .expect('Cache-Control', 'no-store')
      .expect(200);
    const receivedAt = Date.now();
    const { startedAt, uptimeSeconds } = response.body as Info;
    expect(response.text).toBe(
      JSON.stringify({
        name: 'petsage-api',
        version: '1.0.0',
        revision: '4f2a9c1',
        node: process.version,
        startedAt: new Date(startedAt).toISOString(),
        uptimeSeconds,
      }),
    );
    // The tolerance is for rounding.
    const respondedAt = Date.parse(startedAt) + uptimeSeconds * 1000;
    expect(respondedAt).toBeGreaterThan(sentAt - 2000);
    expect(respondedAt).toBeLessThan(receivedAt + 1000);
  });
});
