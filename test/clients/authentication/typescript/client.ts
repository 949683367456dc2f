// Calls an operation that requires a token.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { paths } from './petsage.js';

const baseUrl = process.env.PETSAGE_URL ?? 'http://localhost:8000';
const token = process.env.PETSAGE_TOKEN;

const anonymous = createClient<paths>({ baseUrl });
const rejected = await anonymous.GET('/owners/me');
assert.equal(rejected.response.status, 401);
assert.deepEqual(rejected.error, { detail: 'Not authenticated' });

const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const owner = await client.GET('/owners/me');
assert.equal(owner.response.status, 200);
assert.deepEqual(owner.data, { sub: 'alice' });

const forbidden = await client.POST('/owners/me');
assert.equal(forbidden.response.status, 403);
assert.deepEqual(forbidden.error, { detail: 'Not enough permissions' });
