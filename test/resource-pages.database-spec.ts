import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { SAMPLE } from './fixtures/resource-payloads.js';
import { generateResources } from './fixtures/resources.js';

const PATH = '/api/v1/samples';
const ROWS = 100_000;
const PAGE = 100;
/** How often each page is read whose time is measured. */
const ROUNDS = 200;

/** The rows have ids of the year 2020, in the order of their names. */
const INSERT_ROWS = `
  insert into samples (id, version, created_at, updated_at, name, kind, tags, small, count)
  select ('016f5e66-' || lpad(to_hex(n / 65536), 4, '0') || '-7' || lpad(to_hex(n / 16 % 4096), 3, '0')
      || '-8' || to_hex(n % 16) || '00-000000000000')::uuid,
    1, now(), now(), 'row ' || n, 'dog', '[]', n % 20, n % 200
  from generate_series(1, ${ROWS}) as n`;

interface Page {
  items: { id: string; name: string }[];
  nextCursor: string | null;
}

const server = new PostgresServer();
let app: NestExpressApplication;
let database: string;

beforeAll(async () => {
  await server.start();
  database = await server.createDatabase();
  ({ app } = await createTestApp({
    ...(await generateResources([SAMPLE])),
    settings: { DATABASE_URL: database, DATABASE_MIGRATE: 'true' },
  }));
  await server.query(INSERT_ROWS, database);
  await server.query('analyze samples', database);
});

afterAll(async () => {
  await app.close();
  await server.remove();
});

function send(method: 'delete' | 'get' | 'post', path: string): request.Test {
  return request(app.getHttpServer())[method](path);
}

/** Reads all pages. Returns the names of the rows, and the path of each page. */
async function readPages(query: string) {
  const names: string[] = [];
  const paths: string[] = [];
  let path: string | undefined = `${PATH}?limit=${PAGE}${query}`;
  while (path !== undefined) {
    paths.push(path);
    const response = await send('get', path).expect(200);
    const { items, nextCursor } = response.body as Page;
    names.push(...items.map(({ name }) => name));
    path = nextCursor === null ? undefined : `${paths[0]}&cursor=${nextCursor}`;
  }
  return { names, paths };
}

/** Reads pages in turn. Returns the median of the milliseconds that each one takes. */
async function measurePages(paths: string[]): Promise<number[]> {
  const durations = paths.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, path] of paths.entries()) {
      const start = performance.now();
      await send('get', path).expect(200);
      durations[index]?.push(performance.now() - start);
    }
  }
  return durations.map(findMedian);
}

/**
 * Creates rows, and deletes every second of them and some of the others, until the signal is aborted. Returns the
 * number of created rows, and the names of the others that were deleted.
 */
async function createAndDelete(signal: AbortSignal) {
  const deleted = new Set<string>();
  let count = 0;
  while (!signal.aborted) {
    count += 1;
    const body = { name: `new ${count}`, kind: 'dog', tags: [] };
    const response = await send('post', PATH).send(body).expect(201);
    const { id } = response.body as { id: string };
    if (count % 2 === 0) await send('delete', `${PATH}/${id}`).expect(204);
    const rows = (await server.query(
      `delete from samples where name = 'row ${count * 7}' returning name`,
      database,
    )) as { name: string }[];
    for (const { name } of rows) deleted.add(name);
  }
  return { count, deleted };
}

function findMedian(durations: number[]): number {
  return durations.toSorted((a, b) => a - b)[Math.floor(durations.length / 2)] ?? NaN;
}

it.each([
  ['', 1],
  ['&small=7', 20],
])(
  'reads the last page of 100,000 rows as quickly as the first, with the query "%s"',
  async (query, part) => {
    const { names, paths } = await readPages(query);
    expect(new Set(names).size).toBe(ROWS / part);
    expect(names).toHaveLength(ROWS / part);
    const [first = NaN, last = NaN] = await measurePages([paths[0] ?? '', paths.at(-1) ?? '']);
    console.log(
      `Median of the first page ${first.toFixed(2)} ms, of the last ${last.toFixed(2)} ms`,
    );
    expect(last / first).toBeLessThan(1.2);
  },
);

it('returns each unchanged row once while rows are created and deleted', async () => {
  const controller = new AbortController();
  const writer = createAndDelete(controller.signal);
  const { names } = await readPages('');
  controller.abort();
  const { count, deleted } = await writer;
  console.log(`${count} rows created meanwhile, ${deleted.size} of the others deleted`);
  expect(new Set(names).size).toBe(names.length);
  const rows = new Set(names.filter((name) => name.startsWith('row')));
  const expected = Array.from({ length: ROWS }, (_, index) => `row ${index + 1}`);
  expect(expected.filter((name) => !rows.has(name) && !deleted.has(name))).toEqual([]);
  expect(count).toBeGreaterThan(100);
  expect(deleted.size).toBeGreaterThan(100);
});

it.each([
  ['', 'samples_pkey'],
  ['count = 7 and', 'samples_count_idx'],
])('reads a page with "%s" from the index %s', async (filter, index) => {
  const plan = await server.query(
    `explain select * from samples where ${filter} id < '016f5e66-0000-7fff-8000-000000000000'
      order by id desc limit ${PAGE + 1}`,
    database,
  );
  const text = plan.map((row) => String((row as Record<string, unknown>)['QUERY PLAN'])).join('\n');
  console.log(text);
  expect(text).toContain(`Index Scan Backward using ${index}`);
  expect(text).not.toContain('Sort');
});
