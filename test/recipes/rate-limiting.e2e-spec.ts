import { readFile } from 'node:fs/promises';
import request from 'supertest';
import { type Service, startService, stopService } from '../fixtures/process.js';
import { createProject } from '../fixtures/project.js';

const FIXTURE = 'test/fixtures/features/quotes';
const TOO_MANY = { detail: 'ThrottlerException: Too Many Requests' };
const MONITORED = [
  '/system/healthz',
  '/system/readyz',
  '/system/info',
  '/metrics',
  '/smoke-test',
  '/api/v1/smoke-test',
  '/v1/health/smoke-test',
];

let project: string;
let service: Service;

// In a process of its own: the package is CommonJS, from which Jest imports no ES modules before Node 24.9.
beforeAll(async () => {
  const files: Record<string, string> = {};
  for (const name of ['quotes.module.ts', 'quotes.controller.ts']) {
    files[`src/features/quotes/${name}`] = await readFile(`${FIXTURE}/${name}`, 'utf8');
  }
  project = await createProject(files);
});

async function start(THROTTLE: string): Promise<void> {
  service = await startService({ cwd: project, env: { THROTTLE } });
}

afterEach(async () => {
  await stopService(service);
});

/** Sends requests one after the other and returns the statuses of the responses. */
async function sendRequests(path: string, count = 3): Promise<number[]> {
  const statuses: number[] = [];
  for (let index = 0; index < count; index++) {
    statuses.push((await request(service.url).get(path)).status);
  }
  return statuses;
}

describe('ThrottlerGuard of a controller', () => {
  it('rejects requests over the limit with 429 and Retry-After', async () => {
    await start('controller');
    await request(service.url)
      .get('/limited-quotes')
      .expect(200, { quotes: [] })
      .expect('X-RateLimit-Limit', '2')
      .expect('X-RateLimit-Remaining', '1')
      .expect('X-RateLimit-Reset', '60');
    await request(service.url).get('/limited-quotes').expect(200);
    await request(service.url)
      .get('/limited-quotes')
      .expect(429, TOO_MANY)
      .expect('Retry-After', /^\d+$/);
    expect(await sendRequests('/quotes')).toEqual([200, 200, 200]);
    expect(await sendRequests('/system/healthz')).toEqual([200, 200, 200]);
  });
});

describe('ThrottlerGuard as APP_GUARD', () => {
  it('limits features, but no probes and monitors', async () => {
    await start('global');
    expect(await sendRequests('/quotes')).toEqual([200, 200, 429]);
    expect(await sendRequests('/quotes/search')).toEqual([200, 429, 429]);
    expect(await sendRequests('/quotes/featured')).toEqual([200, 200, 200]);
    for (const path of MONITORED) {
      expect([path, await sendRequests(path)]).toEqual([path, [200, 200, 200]]);
    }
    for (let count = 0; count < 3; count++) {
      const { headers } = await request(service.url)
        .post('/api/v1/system/smoke-test')
        .send({ ping: 'a' })
        .expect(200);
      expect(headers).not.toHaveProperty('x-ratelimit-limit');
    }
  });

  it('limits probes by throttlers with a name', async () => {
    await start('global-named');
    expect(await sendRequests('/quotes')).toEqual([200, 200, 429]);
    expect(await sendRequests('/system/healthz')).toEqual([200, 200, 429]);
  });

  it('limits no public routes by throttlers whose skipIf excludes them', async () => {
    await start('global-named-skip-public');
    expect(await sendRequests('/quotes')).toEqual([200, 200, 429]);
    for (const path of MONITORED) {
      expect([path, await sendRequests(path)]).toEqual([path, [200, 200, 200]]);
    }
  });
});
