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

describe('The Host header', () => {
  it.each([
    // The name of a cluster of Envoy, and so of Istio.
    'outbound|8000||petsage-api.default.svc.cluster.local',
    // The names of an upstream of nginx and of a service of Docker.
    'petsage_api',
    '[fe80::1%25eth0]:8000',
    '%2Frun%2Fpetsage.sock',
  ])('of a proxy may be %s', async (host) => {
    const { app } = await createTestApp();
    await request(app.getHttpServer()).get('/system/healthz').set('Host', host).expect(200);
  });
});
