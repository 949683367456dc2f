import type { Request, Response } from 'express';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';

describe('X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host', () => {
  it.each([
    [
      'come from the nearest proxy with TRUST_PROXY=1',
      { TRUST_PROXY: '1' },
      { ip: '198.51.100.7', protocol: 'https', host: 'api.petsage.io' },
    ],
    [
      'are ignored without TRUST_PROXY',
      {},
      { ip: '127.0.0.1', protocol: 'http', host: 'pets.example' },
    ],
  ])('%s', async (_, settings, expected) => {
    const { app } = await createTestApp({
      settings,
      prepare: (app) => {
        app.use('/client', ({ ip, protocol, host }: Request, res: Response) => {
          res.json({ ip, protocol, host });
        });
      },
    });
    await request(app.getHttpServer())
      .get('/client')
      .set('Host', 'pets.example')
      .set('X-Forwarded-For', '203.0.113.9, 198.51.100.7')
      .set('X-Forwarded-Proto', 'https')
      .set('X-Forwarded-Host', 'api.petsage.io')
      .expect(200, expected);
  });
});
