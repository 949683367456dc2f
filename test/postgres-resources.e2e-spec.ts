import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { describePostgres } from './fixtures/describe-postgres.js';
import { PostgresServer } from './fixtures/postgres-server.js';
import { SAMPLE } from './fixtures/resource-payloads.js';
import { generateResources } from './fixtures/resources.js';

const PATH = '/api/v1/samples';
const CLIENTS = 50;

interface Sample {
  id: string;
  count: number;
  parent: string | null;
}

describePostgres('concurrent requests for a resource', () => {
  const server = new PostgresServer();
  let app: NestExpressApplication;

  beforeAll(async () => {
    await server.start();
    ({ app } = await createTestApp({
      ...(await generateResources([SAMPLE])),
      settings: {
        DATABASE_URL: await server.createDatabase(),
        DATABASE_MIGRATE: 'true',
        // All clients wait for the same row.
        DATABASE_TIMEOUT_MS: '60000',
      },
    }));
  });

  afterAll(async () => {
    await app.close();
    await server.remove();
  });

  function send(method: 'delete' | 'get' | 'patch' | 'post', path: string): request.Test {
    return request(app.getHttpServer())[method](path);
  }

  async function create(fields: object): Promise<Sample> {
    const body = { kind: 'dog', tags: [], count: 0, ...fields };
    return (await send('post', PATH).send(body).expect(201)).body as Sample;
  }

  /** Sends a request from each client at the same time. Returns the number of responses by status. */
  async function countStatuses(
    createRequest: (client: number) => request.Test,
  ): Promise<Record<number, number>> {
    const responses = await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) => createRequest(client)),
    );
    const counts: Record<number, number> = {};
    for (const { status } of responses) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  it('loses no update with If-Match', async () => {
    const { id } = await create({ name: 'updates' });
    const path = `${PATH}/${id}`;
    let rejections = 0;

    async function increment(): Promise<void> {
      for (;;) {
        const current = await send('get', path).expect(200);
        const { status } = await send('patch', path)
          .set('If-Match', current.headers.etag ?? '')
          .send({ count: (current.body as Sample).count + 1 });
        if (status === 200) return;
        expect(status).toBe(412);
        rejections += 1;
      }
    }

    await Promise.all(Array.from({ length: CLIENTS }, increment));
    const response = await send('get', path)
      .expect(200)
      .expect('ETag', `"${CLIENTS + 1}"`);
    expect(response.body).toMatchObject({ count: CLIENTS });
    expect(rejections).toBeGreaterThan(0);
  });

  it('changes one version once', async () => {
    const { id } = await create({ name: 'version' });
    const counts = await countStatuses((count) =>
      send('patch', `${PATH}/${id}`).set('If-Match', '"1"').send({ count }),
    );
    expect(counts).toEqual({ 200: 1, 412: CLIENTS - 1 });
  });

  it('creates one resource with a unique value', async () => {
    const body = { name: 'unique', kind: 'dog', tags: [] };
    expect(await countStatuses(() => send('post', PATH).send(body))).toEqual({
      201: 1,
      409: CLIENTS - 1,
    });
  });

  it('changes one resource to a unique value', async () => {
    const samples = await Promise.all(
      Array.from({ length: CLIENTS }, (_, index) => create({ name: `sample ${index}` })),
    );
    const counts = await countStatuses((client) =>
      send('patch', `${PATH}/${samples[client]?.id ?? ''}`).send({ name: 'renamed' }),
    );
    expect(counts).toEqual({ 200: 1, 409: CLIENTS - 1 });
  });

  it('deletes a resource once', async () => {
    const { id } = await create({ name: 'deleted' });
    expect(await countStatuses(() => send('delete', `${PATH}/${id}`))).toEqual({
      204: 1,
      404: CLIENTS - 1,
    });
  });

  it('references no deleted resource', async () => {
    for (let round = 0; round < 5; round += 1) {
      const parent = await create({ name: `parent ${round}` });
      const body = { kind: 'dog', tags: [], parent: parent.id };
      const counts = await countStatuses((client) =>
        client % 5 === 0
          ? send('delete', `${PATH}/${parent.id}`)
          : send('post', PATH).send({ ...body, name: `child ${round} ${client}` }),
      );
      const { 201: children = 0, 204: deletions = 0, 404: repeated = 0, 409: kept = 0 } = counts;
      const { 422: rejected = 0 } = counts;
      expect(children + rejected).toBe(CLIENTS * 0.8);
      expect(deletions + repeated + kept).toBe(CLIENTS * 0.2);
      expect([deletions, children]).toContain(0);
      expect(children > 0 ? repeated : kept).toBe(0);
    }
  });
});
