import type { NestExpressApplication } from '@nestjs/platform-express';
import fc from 'fast-check';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { RESCUE, SHELTER } from './fixtures/resource-payloads.js';
import { generateResources } from './fixtures/resources.js';
import { createToken } from './fixtures/tokens.js';

const SHELTERS = '/api/v1/shelters';
const RESCUES = '/api/v1/rescues';
const PATHS = [SHELTERS, RESCUES] as const;
const UNKNOWN_ID = '018f3a9c-5b0e-7cc3-98c4-dc0c0c07398f';
const NOT_FOUND = { detail: 'Shelter not found' };

const COUNT = Number(process.env.FUZZ_REQUESTS ?? 500);
/** The same seed generates the same requests. */
const SEED = Number(process.env.FUZZ_SEED ?? 1);

const USERS = ['alice', 'bob'] as const;
type User = (typeof USERS)[number];

interface Row {
  id: string;
  name: string;
  shelter?: string;
}

interface Page {
  items: Row[];
  nextCursor: string | null;
}

type Method = 'delete' | 'get' | 'head' | 'patch' | 'post';

let app: NestExpressApplication;
let tokens: Record<User, string>;

beforeAll(async () => {
  ({ app } = await createTestApp(await generateResources([SHELTER, RESCUE])));
  tokens = {
    alice: await createToken(app, { sub: 'alice' }),
    bob: await createToken(app, { sub: 'bob' }),
  };
});

function send(user: User, method: Method, path: string): request.Test {
  return request(app.getHttpServer())[method](path).auth(tokens[user], { type: 'bearer' });
}

async function create(user: User, path: string, fields: object): Promise<Row> {
  return (await send(user, 'post', path).send(fields).expect(201)).body as Row;
}

async function list(user: User, path: string): Promise<Row[]> {
  const items: Row[] = [];
  let cursor = '';
  do {
    const response = await send(user, 'get', `${path}?limit=100${cursor}`).expect(200);
    const page = response.body as Page;
    items.push(...page.items);
    cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
  } while (cursor !== '');
  return items;
}

afterEach(async () => {
  for (const path of [RESCUES, SHELTERS]) {
    for (const user of USERS) {
      for (const { id } of await list(user, path)) {
        await send(user, 'delete', `${path}/${id}`).expect(204);
      }
    }
  }
});

it('requires a token before it validates a request', async () => {
  const responses = [
    request(app.getHttpServer()).get(`${SHELTERS}?limit=0`),
    request(app.getHttpServer()).post(SHELTERS).send({}),
    request(app.getHttpServer()).get(`${SHELTERS}/x`),
    request(app.getHttpServer()).patch(`${SHELTERS}/x`).send([]),
    request(app.getHttpServer()).delete(`${SHELTERS}/x`).set('If-Match', '"7"'),
  ];
  for (const response of responses) await response.expect(401, { detail: 'Not authenticated' });
});

it('hides a resource from other users', async () => {
  const shelter = await create('alice', SHELTERS, { name: 'Rex' });
  const { id } = shelter;
  for (const path of [`${SHELTERS}/${id}`, `${SHELTERS}/${UNKNOWN_ID}`]) {
    await send('bob', 'get', path).expect(404, NOT_FOUND);
    await send('bob', 'get', path).set('If-None-Match', '*').expect(404, NOT_FOUND);
    await send('bob', 'head', path).expect(404);
    for (const tag of ['"1"', '"7"', '*']) {
      await send('bob', 'patch', path).set('If-Match', tag).send({}).expect(404, NOT_FOUND);
      await send('bob', 'patch', path)
        .set('If-Match', tag)
        .send({ name: 'a' })
        .expect(404, NOT_FOUND);
      await send('bob', 'delete', path).set('If-Match', tag).expect(404, NOT_FOUND);
    }
  }
  expect(await list('bob', SHELTERS)).toEqual([]);
  expect(await list('alice', SHELTERS)).toEqual([shelter]);
  expect(JSON.stringify(shelter)).not.toContain('alice');
});

it('does not compare unique values of other users', async () => {
  await create('alice', SHELTERS, { name: 'Rex' });
  const { id } = await create('bob', SHELTERS, { name: 'Max' });
  await send('bob', 'patch', `${SHELTERS}/${id}`).send({ name: 'Rex' }).expect(200);
  await send('bob', 'post', SHELTERS).send({ name: 'Rex' }).expect(409);
});

it('does not find the resource of another user that a field references', async () => {
  const alices = await create('alice', SHELTERS, { name: 'Rex' });
  const bobs = await create('bob', SHELTERS, { name: 'Rex' });
  const rescue = await create('bob', RESCUES, { name: 'Max', shelter: bobs.id });
  for (const shelter of [alices.id, UNKNOWN_ID]) {
    const error = {
      detail: [
        {
          type: 'reference',
          loc: ['body', 'shelter'],
          msg: 'Referenced shelter not found',
          input: shelter,
        },
      ],
    };
    await send('bob', 'post', RESCUES).send({ name: 'a', shelter }).expect(422, error);
    await send('bob', 'patch', `${RESCUES}/${rescue.id}`).send({ shelter }).expect(422, error);
    await send('bob', 'get', RESCUES)
      .query({ shelter })
      .expect(200, { items: [], nextCursor: null });
  }
  await send('alice', 'delete', `${SHELTERS}/${alices.id}`).expect(204);
  await send('bob', 'delete', `${SHELTERS}/${bobs.id}`).expect(409, {
    detail: 'Still referenced by rescues',
  });
});

it('lists no resources of other users after their cursor', async () => {
  await create('alice', SHELTERS, { name: 'a' });
  await create('alice', SHELTERS, { name: 'b' });
  const response = await send('alice', 'get', `${SHELTERS}?limit=1`).expect(200);
  const cursor = String((response.body as Page).nextCursor);
  await send('bob', 'get', SHELTERS).query({ cursor }).expect(200, { items: [], nextCursor: null });
});

describe(`${COUNT} generated requests of two users (FUZZ_SEED=${SEED})`, () => {
  const operation = fc.record({
    user: fc.constantFrom(...USERS),
    path: fc.constantFrom(...PATHS),
    method: fc.constantFrom<Method>(
      'delete',
      'get',
      'get',
      'patch',
      'patch',
      'post',
      'post',
      'post',
    ),
    isList: fc.boolean(),
    /** Whose id, and which one. */
    idOf: fc.constantFrom(...USERS, ...USERS, 'nobody' as const),
    id: fc.nat(),
    shelterOf: fc.constantFrom(...USERS, ...USERS, 'nobody' as const),
    shelter: fc.nat(),
    name: fc.constantFrom('Rex', 'Max', '🐕', ...Array.from({ length: 20 }, (_, i) => `name ${i}`)),
    body: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      fc.json(),
      fc.constantFrom('{}', '{"name":"\\u0000"}', '{"shelter":null}', '{"ownerSub":"bob"}'),
    ),
    ifMatch: fc.constantFrom(
      undefined,
      undefined,
      '*',
      '"1"',
      '"2"',
      '"1", "2", "3"',
      'W/"1"',
      'x',
    ),
    ifNoneMatch: fc.constantFrom(undefined, undefined, '*', '"1"', 'W/"2"'),
    limit: fc.constantFrom('1', '2', '100', '0', 'x'),
    cursor: fc.oneof(fc.constant(undefined), fc.nat(), fc.base64String()),
    size: fc.constantFrom(undefined, 'small', 'large', '\0'),
  });

  it('never shows, changes, or compares rows of the other user', async () => {
    const rows: Record<User, Map<string, Row & { path: string }>> = {
      alice: new Map(),
      bob: new Map(),
    };
    const cursors: string[] = ['x'];
    const statuses: Record<number, number> = {};
    const pick = (of: User | 'nobody', path: string, index: number): string => {
      const ids = of === 'nobody' ? [] : [...rows[of].values()].filter((row) => row.path === path);
      return ids[index % ids.length]?.id ?? UNKNOWN_ID;
    };
    for (const step of fc.sample(operation, { seed: SEED, numRuns: COUNT })) {
      const { user, path, method, isList } = step;
      const own = rows[user];
      const id = pick(step.idOf, path, step.id);
      const fields: Partial<Row> & { size?: string } = {
        name: step.name,
        ...(path === RESCUES
          ? { shelter: pick(step.shelterOf, SHELTERS, step.shelter) }
          : { size: step.size }),
      };
      const isById = method !== 'post' && !(method === 'get' && isList);
      const test = send(user, method, isById ? `${path}/${id}` : path);
      if (step.ifMatch !== undefined) void test.set('If-Match', step.ifMatch);
      if (step.ifNoneMatch !== undefined) void test.set('If-None-Match', step.ifNoneMatch);
      if (!isById && method === 'get') {
        const cursor =
          typeof step.cursor === 'number' ? cursors[step.cursor % cursors.length] : step.cursor;
        void test.query({ limit: step.limit, ...(cursor !== undefined && { cursor }) });
        if (path === RESCUES && step.id % 2 === 0) void test.query({ shelter: fields.shelter });
      }
      if (['patch', 'post'].includes(method)) {
        void test.type('json').send(step.body ?? JSON.stringify(fields));
      }
      const response = await test;
      const { status } = response;
      const body = response.body as Row & Page & { detail: unknown };
      statuses[status] = (statuses[status] ?? 0) + 1;
      const context = { ...step, id, fields, status, body };
      const check = (isCorrect: boolean) => {
        if (!isCorrect) throw new Error(JSON.stringify(context));
      };
      check(status < 500);
      if (isById && status !== 422 && status !== 400) check(own.has(id) === (status !== 404));
      if (status === 409 && method === 'delete') {
        check([...own.values()].some((row) => row.shelter === id));
      } else if (status === 409) {
        check([...own.values()].some((row) => row.path === path && row.name === fields.name));
      }
      if (JSON.stringify(body).includes('Referenced shelter not found')) {
        check(own.get(String(fields.shelter)) === undefined);
      }
      if (status === 200 && !isById) {
        check(body.items.every((row) => own.get(row.id)?.path === path));
        if (body.nextCursor !== null) cursors.push(body.nextCursor);
      } else if (status === 200 && method === 'get') {
        expect({ ...body, path }).toEqual(own.get(id));
      } else if (status === 200 || status === 201) {
        check(status === 201 ? !own.has(body.id) : body.id === id);
        if (body.shelter !== undefined) check(own.has(body.shelter));
        own.set(body.id, { ...body, path });
      } else if (status === 204) {
        own.delete(id);
      }
    }
    for (const user of USERS) {
      for (const path of PATHS) {
        const expected = [...rows[user].values()].filter((row) => row.path === path);
        const actual = (await list(user, path)).map((row) => ({ ...row, path }));
        expect(actual).toEqual(expected.sort((a, b) => (a.id < b.id ? 1 : -1)));
      }
    }
    expect(Object.keys(statuses)).toEqual(
      expect.arrayContaining(['200', '201', '204', '304', '404', '409', '412', '422']),
    );
    if (process.env.FUZZ_REQUESTS) console.log(statuses);
  });
});
