import type { Request, Response } from 'express';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';

describe('TRUST_PROXY=1', () => {
  it('takes client address, scheme and host from the nearest proxy only', async () => {
    const { app } = await createTestApp({
      settings: { TRUST_PROXY: '1' },
      prepare: (app) => {
        app.use('/seen', ({ ip, protocol, host }: Request, res: Response) => {
          res.json({ ip, protocol, host });
        });
      },
    });
    await request(app.getHttpServer())
      .get('/seen')
      .set('X-Forwarded-For', '203.0.113.9, 198.51.100.7')
      .set('X-Forwarded-Proto', 'https')
      .set('X-Forwarded-Host', 'api.petsage.io')
      .expect(200, { ip: '198.51.100.7', protocol: 'https', host: 'api.petsage.io' });
  });
});
