import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { SAMPLE } from './fixtures/resource-payloads.js';
import { generateResources } from './fixtures/resources.js';

const PATH = '/api/v1/samples';
/** A proxy removes it from the path of requests. */
const ROOT_PATH = '/petsage';
const UNKNOWN_ID = '018f3a9c-5b0e-7cc3-98c4-dc0c0c07398f';
const NOT_FOUND = { detail: 'Sample not found' };

interface Sample {
  id: string;
  name: string;
  [field: string]: unknown;
}

interface Page {
  items: Sample[];
  nextCursor: string | null;
}

let app: NestExpressApplication;
let count = 0;

beforeAll(async () => {
  const resources = await generateResources([SAMPLE]);
  ({ app } = await createTestApp({ ...resources, settings: { ROOT_PATH } }));
});

type Method = 'delete' | 'get' | 'head' | 'options' | 'patch' | 'post' | 'put';

function send(method: Method, path: string): request.Test {
  return request(app.getHttpServer())[method](path);
}

function createBody(fields: object = {}): { name: string } {
  count += 1;
  return { name: `Rex ${count}`, kind: 'dog', tags: [], ...fields } as { name: string };
}

async function create(fields: object = {}): Promise<Sample> {
  const response = await send('post', PATH).send(createBody(fields)).expect(201);
  return response.body as Sample;
}

async function deleteAll(): Promise<void> {
  for (;;) {
    const { items } = (await send('get', `${PATH}?limit=100`).expect(200)).body as Page;
    if (items.length === 0) return;
    for (const { id } of items) await send('delete', `${PATH}/${id}`).expect(204);
  }
}

/** A 422 with one error. */
function createError(type: string, loc: (string | number)[], msg: string, input: unknown) {
  return { detail: [{ type, loc, msg, input }] };
}

describe('POST', () => {
  it('returns the resource, its path, and its version', async () => {
    const body = createBody();
    const response = await send('post', PATH).send(body).expect(201);
    const created = response.body as Sample;
    expect(created).toEqual({
      ...Object.fromEntries(Object.keys(SAMPLE.fields).map((name) => [name, null])),
      ...body,
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/) as string,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      updatedAt: created.createdAt,
    });
    expect(response.headers).toMatchObject({
      location: `${ROOT_PATH}${PATH}/${created.id}`,
      etag: '"1"',
    });
  });

  it.each([
    ['note', ''],
    ['note', '🐕‍🦺 Zoë ﷽ שלום ‏\u202e \uFFFE \u{10FFFF} \u0001 \t\r\n\u2028'],
    ['note', ' '],
    ['note', "'; drop table samples; --"],
    ['note', '\\u0000 \\x00 $1 %s ?'],
    ['note', 'x'.repeat(90_000)],
    ['title', '🐕'.repeat(600)],
    ['name', '__proto__'],
    ['count', Number.MAX_SAFE_INTEGER],
    ['count', Number.MIN_SAFE_INTEGER],
    ['count', 0],
    ['small', 30],
    ['weight', 1e308],
    ['weight', -1.7976931348623157e308],
    ['weight', 5e-324],
    ['weight', 0.1],
    ['weight', 1 / 3],
    ['weight', 2 ** 53],
    ['isTame', false],
    ['born', '1000-01-01'],
    ['born', '1582-10-10'],
    ['born', '9999-12-31'],
    ['born', '2000-02-29'],
    ['seenAt', '1000-01-01T00:00:00.000Z'],
    ['seenAt', '1899-12-31T23:59:59.999Z'],
    ['seenAt', '9999-12-31T23:59:59.999Z'],
    ['mail', 'zoë+rex@exämple.com'],
    ['code', UNKNOWN_ID],
    ['code', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
    ['code', '00000000-0000-0000-0000-000000000000'],
    ['site', 'http://localhost:8000/a?b=ü#c'],
    ['tags', ['', 'b', 'a', 'a', '🐕', 'null', '{"a":1}']],
    ['days', []],
    ['days', ['1000-01-01', '9999-12-31']],
    ['times', ['1000-01-01T00:00:00.000Z']],
    ['numbers', [1e308, 5e-324, 0, -0.5, 2 ** 53]],
    ['matrix', [[], [Number.MAX_SAFE_INTEGER, -1], [0]]],
    ['words', [['🐕', ''], []]],
  ])('stores and returns %s %j unchanged', async (field, value) => {
    const created = await create({ [field]: value });
    expect(created[field]).toEqual(value);
    await send('get', `${PATH}/${created.id}`).expect(200, created);
    await send('delete', `${PATH}/${created.id}`).expect(204);
  });

  it.each([
    ['2026-01-31T12:00:00+05:45', '2026-01-31T06:15:00.000Z'],
    ['2026-01-31T12:00:00-23:59', '2026-02-01T11:59:00.000Z'],
    ['2026-01-31T12:00:00.123999Z', '2026-01-31T12:00:00.123Z'],
    ['2026-01-31T12:00:00.1Z', '2026-01-31T12:00:00.100Z'],
    ['1899-12-31T23:59:59.9999999+00:00', '1899-12-31T23:59:59.999Z'],
  ])('returns the time %s in UTC milliseconds', async (value, expected) => {
    const { id, seenAt } = await create({ seenAt: value });
    expect(seenAt).toBe(expected);
    const response = await send('get', PATH).query({ seenAt: value }).expect(200);
    expect((response.body as Page).items.map((item) => item.id)).toEqual([id]);
    await send('delete', `${PATH}/${id}`).expect(204);
  });

  it('returns -0 as 0 and a UUID in lower case', async () => {
    const code = UNKNOWN_ID.toUpperCase();
    const response = await send('post', PATH)
      .type('json')
      .send(JSON.stringify(createBody({ code })).replace('"tags"', '"weight":-0,"tags"'))
      .expect(201);
    expect(response.body).toMatchObject({ weight: 0, code: UNKNOWN_ID });
  });

  it('ignores unknown keys, and the names of columns', async () => {
    const extra = { id: UNKNOWN_ID, version: 7, ownerSub: 'bob', createdAt: 0, constructor: {} };
    const { id, ...created } = await create({ ...extra, owner_sub: 'bob', color: 'red' });
    expect(id).not.toBe(UNKNOWN_ID);
    expect(created).not.toMatchObject({ createdAt: 0 });
    for (const key of ['version', 'ownerSub', 'owner_sub', 'color']) {
      expect(created).not.toHaveProperty([key]);
    }
  });

  it.each([
    ['name', null, 'string_type'],
    ['name', '', 'string_too_short'],
    ['name', 'x'.repeat(81), 'string_too_long'],
    ['name', 'a\0b', 'value_error'],
    ['name', 'a\ud800b', 'value_error'],
    ['note', '\udc00', 'value_error'],
    ['note', {}, 'string_type'],
    ['kind', 'cow', 'literal_error'],
    ['kind', 'dog\0', 'literal_error'],
    ['tags', null, 'list_type'],
    ['tags', {}, 'list_type'],
    ['tags', ['a', 'b\0'], 'value_error'],
    ['tags', ['\ud83d'], 'value_error'],
    ['tags', [null], 'string_type'],
    ['count', 2 ** 53, 'less_than_equal'],
    ['count', 1e308, 'less_than_equal'],
    ['count', -(2 ** 53), 'greater_than_equal'],
    ['count', 1.5, 'int_type'],
    ['small', 31, 'less_than_equal'],
    ['weight', '1', 'float_type'],
    ['isTame', 'true', 'bool_type'],
    ['born', '2026-02-30', 'date_from_datetime_parsing'],
    ['born', '1900-02-29', 'date_from_datetime_parsing'],
    ['born', '0999-12-31', 'date_from_datetime_parsing'],
    ['born', '10000-01-01', 'date_from_datetime_parsing'],
    ['born', '2026-01-31T00:00:00Z', 'date_from_datetime_parsing'],
    ['born', '2026-W01-1', 'date_from_datetime_parsing'],
    ['born', '2026-01-31\0', 'date_from_datetime_parsing'],
    ['born', '2026-01-31\n', 'date_from_datetime_parsing'],
    ['born', 20260131, 'date_from_datetime_parsing'],
    ['seenAt', '2026-02-30T00:00:00Z', 'datetime_from_date_parsing'],
    ['seenAt', '2026-01-31', 'datetime_from_date_parsing'],
    ['seenAt', '2026-01-31T00:00:00', 'datetime_from_date_parsing'],
    ['seenAt', '2026-01-31T25:00:00Z', 'datetime_from_date_parsing'],
    ['seenAt', '2026-01-31T23:59:60Z', 'datetime_from_date_parsing'],
    ['seenAt', '2026-01-31T00:00:00+24:00', 'datetime_from_date_parsing'],
    ['seenAt', '9999-12-31T23:59:59-01:00', 'datetime_from_date_parsing'],
    ['seenAt', '1000-01-01T00:00:00+01:00', 'datetime_from_date_parsing'],
    ['mail', 'rex', 'value_error'],
    ['mail', 'a\0@example.com', 'value_error'],
    ['code', 'rex', 'uuid_parsing'],
    ['code', `{${UNKNOWN_ID}}`, 'uuid_parsing'],
    ['code', UNKNOWN_ID.replaceAll('-', ''), 'uuid_parsing'],
    ['site', 'javascript:alert(1)', 'value_error'],
    ['site', 'http://a.example/\0', 'value_error'],
    ['days', ['2026-02-30'], 'date_from_datetime_parsing'],
    ['times', ['2026-01-31'], 'datetime_from_date_parsing'],
    ['matrix', [[2 ** 53]], 'value_error'],
    ['words', [['\0']], 'value_error'],
    ['parent', 'rex', 'uuid_parsing'],
  ])('rejects %s %j with %s', async (field, value, type) => {
    const body = createBody({ [field]: value });
    const response = await send('post', PATH).send(body).expect(422);
    expect(response.body).toMatchObject({ detail: [{ type }] });
    expect((response.body as { detail: { loc: unknown[] }[] }).detail[0]?.loc.slice(0, 2)).toEqual([
      'body',
      field,
    ]);
  });

  it.each(['weight', 'count', 'numbers', 'matrix'])('rejects 1e400 as %s', async (field) => {
    const body = JSON.stringify(createBody({ [field]: '?' })).replace('"?"', '1e400');
    await send('post', PATH).type('json').send(body).expect(422);
  });

  it('rejects deep and huge values', async () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    for (const field of ['tags', 'matrix', 'words', 'note', 'unknown']) {
      const body = JSON.stringify(createBody({ [field]: '?' })).replace('"?"', deep);
      await send('post', PATH)
        .type('json')
        .send(body)
        .expect(400, { detail: 'There was an error parsing the body' });
      const nested = deep.slice(29_970, 30_030);
      await send('post', PATH)
        .type('json')
        .send(body.replace(deep, nested))
        .expect(field === 'unknown' ? 201 : 422);
    }
    await send('post', PATH)
      .send(createBody({ note: 'x'.repeat(2_000_000) }))
      .expect(413);
  });

  it('rejects a value that already exists', async () => {
    const { name } = await create();
    await send('post', PATH)
      .send(createBody({ name }))
      .expect(409, createError('unique', ['body', 'name'], 'Value already exists', name));
    await create({ name: name.toUpperCase() });
  });

  it('rejects a reference to a resource that does not exist', async () => {
    await send('post', PATH)
      .send(createBody({ parent: UNKNOWN_ID }))
      .expect(
        422,
        createError('reference', ['body', 'parent'], 'Referenced sample not found', UNKNOWN_ID),
      );
  });
});

describe('GET /{id}', () => {
  it('returns the resource with headers for caches', async () => {
    const sample = await create();
    const response = await send('get', `${PATH}/${sample.id}`).expect(200, sample);
    expect(response.headers).toMatchObject({ etag: '"1"', 'cache-control': 'private, no-cache' });
  });

  it.each([
    ['"1"', 304],
    ['W/"1"', 304],
    ['"0", "1"', 304],
    ['"0",W/"1" ', 304],
    ['*', 304],
    ['"2"', 200],
    ['1', 200],
    ['"1', 200],
    ['', 200],
  ])('returns If-None-Match %s: %i', async (tag, status) => {
    const { id } = await create();
    const response = await send('get', `${PATH}/${id}`).set('If-None-Match', tag).expect(status);
    expect(response.headers).toMatchObject({ etag: '"1"', 'cache-control': 'private, no-cache' });
    if (status === 304) expect(response.text).toBe('');
  });

  it('returns a 404 for an unknown id', async () => {
    await send('get', `${PATH}/${UNKNOWN_ID}`).expect(404, NOT_FOUND);
  });

  it('accepts all spellings of an id', async () => {
    const sample = await create();
    const { id } = sample;
    for (const spelling of [
      id.toUpperCase(),
      id.replaceAll('-', ''),
      `%7B${id}%7D`,
      `urn:uuid:${id}`,
    ]) {
      await send('get', `${PATH}/${spelling}`).expect(200, sample);
      await send('patch', `${PATH}/${spelling}`).send({}).expect(200, sample);
    }
    await send('delete', `${PATH}/urn:uuid:${id.toUpperCase()}`).expect(204);
  });

  it.each(['1', 'a%00b', `${UNKNOWN_ID}%00`, `${UNKNOWN_ID}%0A`, `${UNKNOWN_ID},`])(
    'rejects the id %s',
    async (id) => {
      for (const method of ['get', 'patch', 'delete'] as const) {
        const response = await send(method, `${PATH}/${id}`).expect(422);
        expect(response.body).toMatchObject({
          detail: [{ type: 'uuid_parsing', loc: ['path', 'id'] }],
        });
      }
    },
  );
});

it('responds to HEAD and OPTIONS', async () => {
  const { id } = await create();
  const { text, headers } = await send('head', `${PATH}/${id}`).expect(200);
  expect(text).toBeUndefined();
  expect(headers).toMatchObject({ etag: '"1"', 'cache-control': 'private, no-cache' });
  await send('head', `${PATH}/${UNKNOWN_ID}`).expect(404);
  await send('head', `${PATH}/${id}`).set('If-None-Match', '"1"').expect(304);
  await send('head', PATH).expect(200);
  for (const [method, path, allow] of [
    ['options', PATH, 'GET, HEAD, POST'],
    ['put', PATH, 'GET, HEAD, POST'],
    ['options', `${PATH}/${id}`, 'DELETE, GET, HEAD, PATCH'],
    ['put', `${PATH}/${id}`, 'DELETE, GET, HEAD, PATCH'],
    ['post', `${PATH}/${id}`, 'DELETE, GET, HEAD, PATCH'],
  ] as const) {
    const response = await send(method, path).expect(405, { detail: 'Method Not Allowed' });
    expect(response.headers.allow?.split(', ').sort().join(', ')).toBe(allow);
  }
});

describe('GET', () => {
  const DOG = { kind: 'dog', title: 'a' };
  let samples: Sample[];

  beforeAll(async () => {
    await deleteAll();
    samples = [];
    for (const fields of [DOG, { kind: 'cat' }, DOG, DOG, { kind: 'cat' }]) {
      samples.unshift(await create(fields));
    }
  });

  async function getPage(query: object): Promise<Page> {
    return (await send('get', PATH).query(query).expect(200)).body as Page;
  }

  it('returns all in pages, newest first, with a link to the next page', async () => {
    const items: Sample[] = [];
    let path: string | undefined = `${PATH}?limit=2`;
    while (path !== undefined) {
      const response = await send('get', path).expect(200);
      const page = response.body as Page;
      expect(response.headers['cache-control']).toBe('private, no-cache');
      items.push(...page.items);
      const link = /^<(.*)>; rel="next"$/.exec(response.headers.link ?? '');
      expect(response.headers.link === undefined).toBe(page.nextCursor === null);
      if (page.nextCursor !== null) {
        expect(link?.[1]).toBe(`${ROOT_PATH}${PATH}?limit=2&cursor=${page.nextCursor}`);
      }
      path = link?.[1]?.slice(ROOT_PATH.length);
    }
    expect(items).toEqual(samples);
  });

  it('has no next page after the last item', async () => {
    expect((await getPage({ limit: 5 })).nextCursor).toBeNull();
    expect(await getPage({ limit: 100 })).toEqual({ items: samples, nextCursor: null });
    expect(await getPage({})).toEqual({ items: samples, nextCursor: null });
  });

  it('keeps the filters in the link', async () => {
    const response = await send('get', PATH)
      .query({ limit: 1, ...DOG })
      .expect(200);
    const { items, nextCursor } = response.body as Page;
    expect(items).toEqual([samples[1]]);
    const cursor = String(nextCursor);
    expect(response.headers.link).toBe(
      `<${ROOT_PATH}${PATH}?limit=1&kind=dog&title=a&cursor=${cursor}>; rel="next"`,
    );
    expect(await getPage({ cursor, ...DOG })).toEqual({
      items: [samples[2], samples[4]],
      nextCursor: null,
    });
  });

  it.each([
    ['title', '🐕 שלום'],
    ['title', ''],
    ['count', Number.MAX_SAFE_INTEGER],
    ['count', -1],
    ['small', 0],
    ['weight', 1e308],
    ['weight', 5e-324],
    ['weight', 0.1],
    ['isTame', false],
    ['born', '1000-01-01'],
    ['seenAt', '1899-12-31T23:59:59.999Z'],
    ['mail', 'zoë@exämple.com'],
    ['code', UNKNOWN_ID],
  ])('filters by %s %j', async (field, value) => {
    const created = await create({ [field]: value });
    const next = await create({ [field]: value });
    const response = await send('get', PATH)
      .query({ [field]: value, limit: 1 })
      .expect(200);
    expect((response.body as Page).items).toEqual([next]);
    const link = /^<(.*)>/.exec(response.headers.link ?? '')?.[1] ?? '';
    await send('get', link.slice(ROOT_PATH.length)).expect(200, {
      items: [created],
      nextCursor: null,
    });
    for (const { id } of [created, next]) await send('delete', `${PATH}/${id}`).expect(204);
  });

  it('filters by a reference', async () => {
    const parent = await create();
    const child = await create({ parent: parent.id });
    expect(await getPage({ parent: parent.id })).toEqual({ items: [child], nextCursor: null });
    expect(await getPage({ parent: `urn:uuid:${parent.id}` })).toEqual({
      items: [child],
      nextCursor: null,
    });
    expect(await getPage({ parent: UNKNOWN_ID })).toEqual({ items: [], nextCursor: null });
    for (const { id } of [child, parent]) await send('delete', `${PATH}/${id}`).expect(204);
  });

  it('takes the last of repeated parameters, and ignores unknown ones', async () => {
    const response = await send('get', `${PATH}?limit=1&limit=2&color=red&kind=dog&kind=cat`);
    expect((response.body as Page).items).toEqual([samples[0], samples[3]]);
    const { nextCursor } = await getPage({ limit: 1 });
    await send('get', `${PATH}?cursor=x&cursor=${String(nextCursor)}`).expect(200);
    await send('get', `${PATH}?tags=a&name=b&id=c&ownerSub=d&note[]=e`).expect(200);
  });

  it.each([
    ['limit=0', 'greater_than_equal'],
    ['limit=101', 'less_than_equal'],
    ['limit=', 'int_parsing'],
    ['limit=1e400', 'int_parsing'],
    ['limit=2&limit=x', 'int_parsing'],
    ['kind=', 'literal_error'],
    ['kind=dog%00', 'literal_error'],
    ['title=%00', 'value_error'],
    [`title=${'x'.repeat(601)}`, 'string_too_long'],
    ['count=9007199254740992', 'int_parsing_size'],
    ['count=1e400', 'int_parsing'],
    ['count=null', 'int_parsing'],
    ['weight=1e400', 'finite_number'],
    ['weight=nan', 'finite_number'],
    ['weight=x', 'float_parsing'],
    ['isTame=maybe', 'bool_parsing'],
    ['born=2026-02-30', 'date_from_datetime_parsing'],
    ['born=%00', 'date_from_datetime_parsing'],
    ['seenAt=2026-02-30T00:00:00Z', 'datetime_from_date_parsing'],
    ['mail=rex', 'value_error'],
    ['code=rex', 'uuid_parsing'],
    ['parent=%00', 'uuid_parsing'],
  ])('rejects %s with %s', async (query, type) => {
    const response = await send('get', `${PATH}?${query}`).expect(422);
    expect(response.body).toMatchObject({
      detail: [{ type, loc: ['query', query.split('=')[0]] }],
    });
  });

  it('rejects a cursor of another list or other filters', async () => {
    const cursor = String((await getPage({ limit: 1, kind: 'dog' })).nextCursor);
    const error = createError(
      'value_error',
      ['query', 'cursor'],
      'The cursor does not belong to this list and its filters',
      cursor,
    );
    for (const query of [{}, { kind: 'cat' }, { kind: 'dog', title: 'a' }, { title: 'dog' }]) {
      await send('get', PATH)
        .query({ cursor, ...query })
        .expect(422, error);
    }
    await send('get', PATH).query({ cursor, kind: 'dog', limit: 7 }).expect(200);
  });

  it('rejects a cursor that is not one of its own', async () => {
    const { nextCursor } = await getPage({ limit: 1 });
    const cursor = String(nextCursor);
    const list = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const garbage of [
      ...['', '0', 'null', '%00', '\0', '🐕', 'x'.repeat(5000), `${cursor}=`, ` ${cursor}`],
      ...[cursor.slice(1), cursor.slice(0, -1), `${cursor}A`, cursor.toLowerCase()],
      ...[null, 1, {}, [], [UNKNOWN_ID], [...list.slice(0, -1), 1], [...list, 'a\0']].map(encode),
      ...[
        [...list.slice(0, -1), 'ffffffff'],
        ['/api/v1/shelters', ...list.slice(1)],
      ].map(encode),
    ]) {
      const response = await send('get', PATH).query({ cursor: garbage });
      expect([garbage, response.status]).toEqual([garbage, 422]);
      expect(response.body).toMatchObject({ detail: [{ loc: ['query', 'cursor'] }] });
    }
  });

  it('continues after a row that has been deleted', async () => {
    const last = await create();
    const { nextCursor } = await getPage({ limit: 1 });
    await send('delete', `${PATH}/${last.id}`).expect(204);
    await create();
    expect(await getPage({ cursor: nextCursor })).toEqual({ items: samples, nextCursor: null });
  });
});

describe('PATCH /{id}', () => {
  it.each([
    'application/json',
    'application/merge-patch+json',
    'application/merge-patch+json; charset=utf-8',
  ])('merges %s', async (type) => {
    const created = await create({
      note: 'a',
      weight: 1.5,
      tags: ['a', 'b'],
      seenAt: '2026-01-31T12:00:00Z',
      words: [['a']],
    });
    const change = { note: null, tags: ['c'], seenAt: null, words: null, born: '1999-12-31' };
    const response = await send('patch', `${PATH}/${created.id}`)
      .type(type)
      .send(JSON.stringify(change))
      .expect(200)
      .expect('ETag', '"2"');
    const { updatedAt } = response.body as Sample;
    expect(response.body).toEqual({ ...created, ...change, updatedAt });
    expect(Date.parse(String(updatedAt))).toBeGreaterThanOrEqual(
      Date.parse(String(created.updatedAt)),
    );
    await send('get', `${PATH}/${created.id}`).expect(200, response.body as object);
  });

  it('writes nothing for an empty change', async () => {
    const sample = await create();
    for (const change of [{}, { color: 'red' }, { id: UNKNOWN_ID, version: 9, createdAt: null }]) {
      await send('patch', `${PATH}/${sample.id}`)
        .send(change)
        .expect(200, sample)
        .expect('ETag', '"1"');
    }
    await send('patch', `${PATH}/${sample.id}`).set('If-Match', '"2"').send({}).expect(412);
    await send('patch', `${PATH}/${UNKNOWN_ID}`).send({}).expect(404, NOT_FOUND);
  });

  it.each([
    ['name', null],
    ['kind', null],
    ['tags', null],
    ['tags', ['\0']],
    ['note', '\ud800'],
    ['small', 31],
  ])('rejects %s %j', async (field, value) => {
    const sample = await create();
    const response = await send('patch', `${PATH}/${sample.id}`)
      .send({ [field]: value })
      .expect(422);
    expect(response.body).toMatchObject({
      detail: [{ loc: expect.arrayContaining(['body', field]) as unknown }],
    });
    await send('get', `${PATH}/${sample.id}`).expect(200, sample);
  });

  it.each(['[]', 'null', '"a"', '1', ''])('rejects the body %s', async (body) => {
    const { id } = await create();
    for (const type of ['application/json', 'application/merge-patch+json']) {
      await send('patch', `${PATH}/${id}`).type(type).send(body).expect(422);
    }
  });

  it.each([
    ['"1"', 200],
    ['"0", "1"', 200],
    ['"1" , "7"', 200],
    ['*', 200],
    [' * ', 200],
    ['"2"', 412],
    ['W/"1"', 412],
    ['"01"', 412],
    ['1', 412],
    ['', 412],
    ['"9999999999"', 412],
    ['"99999999999999999999"', 412],
    ['"-1"', 412],
    ['"a,1"', 412],
  ])('returns If-Match %s: %i', async (tag, status) => {
    const { id } = await create();
    for (const change of [{ note: 'a' }, {}]) {
      const expected = tag.includes('*') || change.note ? status : 412;
      const response = await send('patch', `${PATH}/${id}`).set('If-Match', tag).send(change);
      expect([change, response.status]).toEqual([change, expected]);
      if (status === 412) expect(response.body).toEqual({ detail: 'Precondition Failed' });
    }
  });

  it('rejects a taken value and a missing reference', async () => {
    const { name } = await create();
    const sample = await create();
    const { id } = sample;
    await send('patch', `${PATH}/${id}`)
      .send({ name })
      .expect(409, createError('unique', ['body', 'name'], 'Value already exists', name));
    await send('patch', `${PATH}/${id}`)
      .send({ parent: UNKNOWN_ID })
      .expect(
        422,
        createError('reference', ['body', 'parent'], 'Referenced sample not found', UNKNOWN_ID),
      );
    await send('get', `${PATH}/${id}`).expect(200, sample).expect('ETag', '"1"');
    await send('patch', `${PATH}/${id}`).send({ name: sample.name }).expect(200);
  });

  it('checks the values, the id, the version, and conflicts, in this order', async () => {
    const { name } = await create();
    const { id } = await create();
    await send('patch', `${PATH}/${UNKNOWN_ID}`)
      .set('If-Match', '"7"')
      .send({ name: '' })
      .expect(422);
    await send('patch', `${PATH}/${UNKNOWN_ID}`).set('If-Match', '"7"').send({ name }).expect(404);
    await send('patch', `${PATH}/${id}`).set('If-Match', '"7"').send({ name }).expect(412);
    await send('patch', `${PATH}/${id}`).set('If-Match', '"1"').send({ name }).expect(409);
  });
});

describe('DELETE /{id}', () => {
  it('deletes the resource once', async () => {
    const { id } = await create();
    const response = await send('delete', `${PATH}/${id}`).expect(204);
    expect(response.text).toBe('');
    for (const method of ['delete', 'get', 'patch'] as const) {
      await send(method, `${PATH}/${id}`).send({}).expect(404, NOT_FOUND);
    }
  });

  it('compares the version', async () => {
    const { id } = await create();
    for (const tag of ['"2"', 'W/"1"', '1']) {
      await send('delete', `${PATH}/${id}`)
        .set('If-Match', tag)
        .expect(412, { detail: 'Precondition Failed' });
    }
    await send('delete', `${PATH}/${UNKNOWN_ID}`).set('If-Match', '*').expect(404, NOT_FOUND);
    await send('delete', `${PATH}/${id}`).set('If-Match', '"3", "1"').expect(204);
  });

  it('keeps a resource that another one references', async () => {
    const parent = await create();
    const child = await create({ parent: parent.id });
    await send('delete', `${PATH}/${parent.id}`).set('If-Match', '"2"').expect(412);
    await send('delete', `${PATH}/${parent.id}`).expect(409, {
      detail: 'Still referenced by samples',
    });
    await send('patch', `${PATH}/${child.id}`).send({ parent: child.id }).expect(200);
    await send('delete', `${PATH}/${parent.id}`).expect(204);
    await send('delete', `${PATH}/${child.id}`).expect(204);
  });
});
