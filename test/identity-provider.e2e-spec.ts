import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { ScopedPetsModule } from './fixtures/features/scoped-pets/scoped-pets.module.js';
import { listen } from './fixtures/http.js';

const AUDIENCE = 'https://api.petsage.io';

/** Starts an OpenID provider with one client, which may request tokens for this service. */
async function startProvider(): Promise<{ server: Server; url: string }> {
  const { Provider } = await import('oidc-provider');
  const server = createServer();
  const url = `http://127.0.0.1:${await listen(server)}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: 'petsage-web',
        client_secret: 'secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'pets:read pets:write',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt' as const,
        }),
      },
    },
  });
  const handle = provider.callback();
  server.on('request', (req, res) => void handle(req, res));
  return { server, url };
}

describe('An OpenID provider', () => {
  let provider: { server: Server; url: string };

  beforeAll(async () => {
    provider = await startProvider();
  });

  afterAll(async () => {
    provider.server.closeAllConnections();
    await once(provider.server.close(), 'close');
  });

  async function requestToken(scope: string): Promise<string> {
    const response = await request(provider.url)
      .post('/token')
      .auth('petsage-web', 'secret')
      .type('form')
      .send({ grant_type: 'client_credentials', resource: AUDIENCE, scope })
      .expect(200);
    return (response.body as { access_token: string }).access_token;
  }

  it('issues tokens that the service accepts', async () => {
    const { app } = await createTestApp({
      settings: { AUTH_ISSUER: provider.url, AUTH_AUDIENCE: AUDIENCE },
      features: [ScopedPetsModule],
    });
    const get = async (scope: string) =>
      request(app.getHttpServer())
        .get('/pets')
        .auth(await requestToken(scope), { type: 'bearer' });
    const response = await get('pets:read pets:write');
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ sub: 'petsage-web', scopes: ['pets:read', 'pets:write'] });
    expect((await get('pets:write')).status).toBe(403);
  });

  it('issues tokens for another audience, which the service rejects', async () => {
    const { app } = await createTestApp({
      settings: { AUTH_ISSUER: provider.url, AUTH_AUDIENCE: 'https://other.example.com' },
      features: [ScopedPetsModule],
    });
    await request(app.getHttpServer())
      .get('/pets')
      .auth(await requestToken('pets:read'), { type: 'bearer' })
      .expect(401, { detail: 'Could not validate credentials' });
  });
});
