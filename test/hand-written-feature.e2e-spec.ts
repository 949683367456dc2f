import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';
import { AdoptionsModule } from './fixtures/features/adoptions/adoptions.module.js';

let server: ReturnType<TestApp['app']['getHttpServer']>;

beforeAll(async () => {
  const { app } = await createTestApp({
    settings: { ADOPTIONS_SHELTER: 'Hamburg' },
    features: [AdoptionsModule],
  });
  server = app.getHttpServer();
});

const STAFF = { 'X-Role': 'staff' };

describe('a feature that is written by hand', () => {
  it('adds, reads, changes and deletes a resource by id', async () => {
    await request(server)
      .post('/adoptions')
      .send({ animal: 'Luna', fee: 150 })
      .expect(201, { id: 1, animal: 'Luna', fee: 150 });
    await request(server).get('/adoptions/1').expect(200, { id: 1, animal: 'Luna', fee: 150 });
    await request(server)
      .patch('/adoptions/1')
      .set(STAFF)
      .send({ fee: 90 })
      .expect(200, { id: 1, animal: 'Luna', fee: 90 });
    await request(server).delete('/adoptions/1').set(STAFF).expect(204, '');
    await request(server).get('/adoptions/1').expect(404, { detail: 'Adoption not found' });
  });

  it('rejects null for a required field of an update', async () => {
    await request(server)
      .patch('/adoptions/1')
      .set(STAFF)
      .send({ animal: null })
      .expect(422, {
        detail: [
          {
            type: 'string_type',
            loc: ['body', 'animal'],
            msg: 'Input should be a valid string',
            input: null,
          },
        ],
      });
  });

  it('responds with 403 if its guard rejects the request', async () => {
    await request(server).delete('/adoptions/1').expect(403, { detail: 'Forbidden resource' });
  });

  it('responds with 405 to a method that it has no handler for', async () => {
    await request(server)
      .put('/adoptions/1')
      .expect('Allow', 'GET, HEAD, PATCH, DELETE')
      .expect(405, { detail: 'Method Not Allowed' });
  });

  it('sets headers in its middleware and in its interceptor', async () => {
    await request(server)
      .post('/adoptions')
      .send({ animal: 'Mio', fee: 0 })
      .expect('Deprecation', '@1798761600')
      .expect('X-Shelter', 'Hamburg');
    const liveness = await request(server).get('/system/healthz').expect(200);
    expect(liveness.headers).not.toHaveProperty('deprecation');
    expect(liveness.headers).not.toHaveProperty('x-shelter');
  });
});
