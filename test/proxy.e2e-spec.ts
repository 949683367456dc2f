import type { Request, Response } from 'express';
import { createTestApp } from './fixtures/app.js';
import { send } from './fixtures/http.js';

const FORWARDED = {
  'X-Forwarded-For': '203.0.113.9, 198.51.100.7',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'api.petsage.io',
};

describe('TRUST_PROXY=1', () => {
  it('believes the nearest proxy, and nobody before it', async () => {
    const { app } = await createTestApp({
      settings: { TRUST_PROXY: '1' },
      prepare(unready) {
        unready.use('/seen', ({ ip, protocol, host }: Request, res: Response) => {
          res.json({ ip, protocol, host });
        });
      },
    });
    const { text } = await send(app, 'GET', '/seen', FORWARDED);
    expect(JSON.parse(text)).toEqual({
      ip: '198.51.100.7',
      protocol: 'https',
      host: 'api.petsage.io',
    });
  });
});
