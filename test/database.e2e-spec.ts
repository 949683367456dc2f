import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { NotesModule } from './fixtures/features/notes/notes.module.js';

let app: NestExpressApplication;

beforeAll(async () => {
  ({ app } = await createTestApp({
    features: [NotesModule],
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  }));
});

it('stores and returns values unchanged', async () => {
  const note = { title: 'Rex', day: '1899-12-31', count: Number.MAX_SAFE_INTEGER };
  const created = await request(app.getHttpServer()).post('/notes').send(note).expect(201);
  expect(created.body).toEqual({
    id: expect.any(String) as string,
    ...note,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
  });
  await request(app.getHttpServer())
    .get('/notes')
    .expect(200, [created.body as object]);
});

it('rolls a transaction back if one of its statements fails', async () => {
  await request(app.getHttpServer())
    .put('/notes')
    .send({ titles: ['a', 'b'] })
    .expect(200);
  await request(app.getHttpServer())
    .put('/notes')
    .send({ titles: ['c', 'c'] })
    .expect(500, { detail: 'Internal Server Error' });
  const response = await request(app.getHttpServer()).get('/notes').expect(200);
  const notes = response.body as { title: string }[];
  expect(notes.map(({ title }) => title)).toEqual(['a', 'b']);
});
