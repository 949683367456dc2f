import { Logger } from '@nestjs/common';
import request from 'supertest';
import { LogLevelService } from '../src/platform/logging/log-level.service.js';
import { createTestApp } from './fixtures/app.js';
import { describeOnLinux } from './fixtures/linux.js';
import { parseLog } from './fixtures/log-records.js';
import { createPreloadOption, startService, stopService } from './fixtures/process.js';
import { waitFor } from './fixtures/wait-for.js';

describe('LogLevelService', () => {
  it('logs debug records until it is toggled again', async () => {
    const { app, log } = await createTestApp();
    const logger = new Logger('Pets');
    const level = app.get(LogLevelService);
    logger.debug('before');
    level.toggleDebug();
    logger.debug('during');
    logger.verbose('trace');
    level.toggleDebug();
    logger.debug('after');
    logger.log('info');
    expect(log.map(({ msg }) => msg)).toEqual([
      'The log level changes to debug',
      'during',
      'The log level changes to info',
      'info',
    ]);
  });
});

// Requires SIGUSR2.
describeOnLinux('SIGUSR2', () => {
  it.each(['warn', 'silent'])('switches between LOG_LEVEL=%s and debug', async (LOG_LEVEL) => {
    const service = await startService({ env: { LOG_LEVEL } });
    const send = async (id: string) => {
      await request(service.url).get('/').set('X-Request-Id', id).expect(200);
    };
    await send('before');
    service.process.kill('SIGUSR2');
    await waitFor(() => service.stdout.includes('changes to debug'));
    await send('during');
    service.process.kill('SIGUSR2');
    await waitFor(() => service.stdout.includes(`changes to ${LOG_LEVEL}`));
    await send('after');
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    expect(parseLog(stdout).map(({ level, msg, requestId }) => [level, msg, requestId])).toEqual([
      ['info', 'The log level changes to debug', undefined],
      ['info', 'Request completed', 'during'],
      ['info', `The log level changes to ${LOG_LEVEL}`, undefined],
    ]);
  });

  it.each(['debug', 'trace'])('changes nothing with LOG_LEVEL=%s', async (LOG_LEVEL) => {
    const service = await startService({ env: { LOG_LEVEL } });
    for (let count = 1; count <= 2; count++) {
      service.process.kill('SIGUSR2');
      const message = `"The log level stays ${LOG_LEVEL}, which includes debug records"`;
      await waitFor(() => service.stdout.split(message).length === count + 1);
    }
    const { code, stdout } = await stopService(service);
    expect(code).toBe(0);
    expect(stdout).not.toContain('The log level changes');
  });

  it('does not end the process during start-up', async () => {
    const signalDuringStartUp = `
      import fs from 'node:fs/promises';
      import { syncBuiltinESMExports } from 'node:module';
      const { readdir } = fs;
      fs.readdir = (...args) => {
        process.stdout.write('sends SIGUSR2\\n');
        process.kill(process.pid, 'SIGUSR2');
        return readdir(...args);
      };
      syncBuiltinESMExports();`;
    const service = await startService({
      env: { NODE_OPTIONS: createPreloadOption(signalDuringStartUp) },
    });
    await request(service.url).get('/system/healthz').expect(200);
    const exit = await stopService(service);
    expect(exit).toMatchObject({ code: 0, stderr: '' });
    expect(exit.stdout).toMatch(/^sends SIGUSR2\n/);
  });
});
