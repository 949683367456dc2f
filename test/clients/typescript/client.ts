// Calls every operation of PetSage API and compares the responses with the contract.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { paths } from './petsage.js';

const baseUrl = process.env.PETSAGE_URL ?? 'http://localhost:8000';
const client = createClient<paths>({ baseUrl });

/** Rejects a time that is not in UTC with milliseconds. */
function parseTime(time = ''): string {
  return new Date(time).toISOString();
}

const readiness = await client.GET('/system/readyz');
assert.equal(readiness.response.status, 200);
assert.ok(readiness.data && ['ok', 'degraded'].includes(readiness.data.status));
assert.equal(readiness.data.checks.log, 'up');

const info = await client.GET('/system/info');
assert.equal(info.response.status, 200);
assert.equal(info.data?.name, 'petsage-api');
assert.equal(info.data.startedAt, parseTime(info.data.startedAt));

const operation = await client.GET('/api/v1/smoke-test');
assert.equal(operation.response.status, 200);
assert.deepEqual(operation.data, {
  status: 'ok',
  message: 'PetSage Smoke Test: Service is operational.',
  timestamp: parseTime(operation.data?.timestamp),
});

const liveness = await client.GET('/system/healthz');
assert.equal(liveness.response.status, 200);
assert.deepEqual(liveness.data, {
  status: 'ok',
  message: 'PetSage API is alive and running!',
});

const builder = await client.GET('/smoke-test');
assert.equal(builder.response.status, 200);
assert.deepEqual(builder.data, {
  status: 'ok',
  feature: 'smoke_test',
  message: 'PetSage builder is functional!',
});

const logging = await client.GET('/v1/health/smoke-test');
assert.equal(logging.response.status, 200);
assert.deepEqual(logging.data, {
  status: 'ok',
  message: 'PetSage service is running and logging is operational.',
  timestamp: parseTime(logging.data?.timestamp),
});

const echo = await client.POST('/api/v1/system/smoke-test', { body: { ping: 'hello 🐾' } });
assert.equal(echo.response.status, 200);
assert.deepEqual(echo.data, {
  status: 'ok',
  message: 'PetSage system is operational.',
  pong: 'hello 🐾',
  timestamp: parseTime(echo.data?.timestamp),
});

const invalid = await client.POST('/api/v1/system/smoke-test', {
  // @ts-expect-error The document says that `ping` is a string.
  body: { ping: 5 },
});
assert.equal(invalid.response.status, 422);
assert.deepEqual(invalid.error, {
  detail: [
    {
      type: 'string_type',
      loc: ['body', 'ping'],
      msg: 'Input should be a valid string',
      input: 5,
    },
  ],
});
