import { createHmac } from 'node:crypto';
import {
  Body,
  type CanActivate,
  Controller,
  Delete,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  Post,
  Put,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import { IsString } from 'class-validator';
import type { Request } from 'express';
import { base64url, decodeJwt, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import request, { type Test } from 'supertest';
import { AuthModule } from '../src/platform/auth/auth.module.js';
import { Authenticated } from '../src/platform/auth/authenticated.decorator.js';
import { CurrentUser } from '../src/platform/auth/current-user.decorator.js';
import { Scopes } from '../src/platform/auth/scopes.decorator.js';
import type { AuthenticatedUser } from '../src/platform/auth/token-verifier.service.js';
import { createTestApp } from './fixtures/app.js';
import { parseResponses, sendRaw } from './fixtures/http.js';
import { Issuer } from './fixtures/issuer.js';
import type { LogRecord } from './fixtures/log-records.js';
import { createToken } from './fixtures/tokens.js';

const NOT_AUTHENTICATED = { detail: 'Not authenticated' };
const INVALID = { detail: 'Could not validate credentials' };
const FORBIDDEN = { detail: 'Not enough permissions' };

@Injectable()
class ApiKeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<Request>().get('X-Api-Key') === 'secret') return true;
    throw new UnauthorizedException('Unknown API key');
  }
}

class PetDto {
  @IsString()
  name!: string;
}

@Controller('pets')
class PetsController {
  @Get('public')
  findPublic() {
    return ['Rex'];
  }

  @Get()
  @Authenticated()
  find(@CurrentUser() { sub, scopes }: AuthenticatedUser) {
    return { sub, scopes };
  }

  @Post()
  @Scopes('pets:write')
  create(@CurrentUser() user: AuthenticatedUser) {
    return { owner: user.sub };
  }

  @Put()
  @Authenticated()
  replace(@Body() pet: PetDto) {
    return pet;
  }

  @Delete()
  @Scopes('pets:write', 'pets:delete')
  remove() {
    return {};
  }

  @Get('claims')
  @Authenticated()
  getClaims(@CurrentUser() { claims }: AuthenticatedUser) {
    return claims;
  }

  @Get('partners')
  @UseGuards(ApiKeyGuard)
  findForPartners() {
    return ['Rex'];
  }

  @Get('unprotected')
  findUnprotected(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }
}

@Scopes('owners:read')
@Controller('owners')
class OwnersController {
  @Get()
  find() {
    return [];
  }

  @Post()
  @Scopes('owners:write')
  create() {
    return {};
  }
}

@Controller('vets')
@Scopes('vets:read')
class BaseVetsController {}

@Controller('vets')
@Scopes('staff')
class VetsController extends BaseVetsController {
  @Get()
  @Scopes('a')
  @Scopes('b')
  find() {
    return [];
  }
}

@Module({ imports: [AuthModule], controllers: [PetsController, OwnersController, VetsController] })
class PetsModule {}

/** Claims of a valid token. */
function createClaims(issuer: Issuer) {
  const now = Math.floor(Date.now() / 1000);
  return { iss: issuer.url, aud: 'petsage', sub: 'mallory', exp: now + 60 };
}

/** Creates a token with any header and signature. */
function formatToken(header: object, claims: object, sign: (input: string) => Buffer): string {
  const input = [header, claims].map((part) => base64url.encode(JSON.stringify(part))).join('.');
  return `${input}.${sign(input).toString('base64url')}`;
}

describe('Authentication', () => {
  let issuer: Issuer;
  let app: NestExpressApplication;
  let log: LogRecord[];

  beforeAll(async () => {
    issuer = await Issuer.start('RS256');
    ({ app, log } = await createTestApp({ settings: issuer.settings, features: [PetsModule] }));
  });

  beforeEach(() => {
    log.length = 0;
  });

  function get(path: string, token?: string): Test {
    const test = request(app.getHttpServer()).get(path);
    return token === undefined ? test : test.auth(token, { type: 'bearer' });
  }

  async function expectInvalid(token: string): Promise<void> {
    const { headers } = await get('/pets', token).expect(401, INVALID);
    expect(headers['www-authenticate']).toBe('Bearer error="invalid_token"');
  }

  it('calls the handler with the user of the token', async () => {
    const token = await issuer.createToken({ scope: 'pets:read pets:write' });
    await get('/pets', token).expect(200, { sub: 'alice', scopes: ['pets:read', 'pets:write'] });
  });

  it('passes all claims of the token', async () => {
    const token = await issuer.createToken({ tenant: 'a' });
    await get('/pets/claims', token).expect(200, decodeJwt(token));
  });

  it.each(['ES256', 'EdDSA', 'RS256'])('accepts a token that is signed with %s', async (alg) => {
    const other = await Issuer.start(alg);
    const { app } = await createTestApp({ settings: other.settings, features: [PetsModule] });
    await request(app.getHttpServer())
      .get('/pets')
      .auth(await other.createToken(), { type: 'bearer' })
      .expect(200);
  });

  it.each([
    ['scope', { scope: 'a  b' }],
    ['scp as a string', { scp: 'a b' }],
    ['scp as a list', { scp: ['a', 'b'] }],
  ])('reads the scopes of the claim %s', async (_, claims) => {
    const token = await issuer.createToken(claims);
    await get('/pets', token).expect(200, { sub: 'alice', scopes: ['a', 'b'] });
  });

  it.each([
    ['several audiences', { aud: ['other', 'petsage'] }],
    ['an exp within the clock difference', { exp: -5 }],
    ['an nbf within the clock difference', { nbf: 25 }],
  ])('accepts a token with %s', async (_, claims) => {
    await get('/pets', await issuer.createToken(claims)).expect(200);
  });

  it('ignores the case of the scheme', async () => {
    const token = await issuer.createToken();
    await get('/pets').set('Authorization', `bearer  ${token}`).expect(200);
  });

  it('ignores a token on a public handler', async () => {
    await get('/pets/public', 'a.b.c').expect(200, ['Rex']);
    await get('/system/healthz', 'a.b.c').expect(200);
    expect(log).not.toContainEqual(expect.objectContaining({ context: 'AuthService' }));
  });

  it('responds with 500 and names the handler, if it is not authenticated', async () => {
    await get('/pets/unprotected').expect(500, { detail: 'Internal Server Error' });
    expect(log).toContainEqual(
      expect.objectContaining({
        err: expect.objectContaining({
          message:
            'PetsController.findUnprotected uses @CurrentUser(), but not @Authenticated() or @Scopes(). Add one of them.',
        }) as unknown,
      }),
    );
  });

  it('lets a feature use a guard of its own', async () => {
    await get('/pets/partners').expect(401, { detail: 'Unknown API key' });
    await get('/pets/partners').set('X-Api-Key', 'secret').expect(200, ['Rex']);
  });

  describe('without a token', () => {
    it.each([[undefined], [''], ['Basic YTpi'], ['Bearer'], ['Bearer a b'], ['Token a.b.c']])(
      'responds to the header %j with 401',
      async (value) => {
        const test = get('/pets');
        if (value !== undefined) test.set('Authorization', value);
        const { headers } = await test.expect(401, NOT_AUTHENTICATED);
        expect(headers['www-authenticate']).toBe('Bearer');
      },
    );

    it('responds to two Authorization headers with 401', async () => {
      const header = `Authorization: Bearer ${await issuer.createToken()}\r\n`;
      const bytes = `GET /pets HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${header}${header}\r\n`;
      const [response] = parseResponses(await sendRaw(app, bytes));
      expect(response).toMatchObject({ status: 401, body: JSON.stringify(NOT_AUTHENTICATED) });
      expect(response?.headers).toContain('WWW-Authenticate: Bearer');
    });

    it('responds before it validates the request', async () => {
      await request(app.getHttpServer()).put('/pets').send({}).expect(401, NOT_AUTHENTICATED);
      await request(app.getHttpServer())
        .put('/pets')
        .auth(await issuer.createToken(), { type: 'bearer' })
        .send({})
        .expect(422);
    });
  });

  describe('with a hostile token', () => {
    it.each<[string, Record<string, unknown>]>([
      ['another iss', { iss: 'https://other.example.com' }],
      ['no iss', { iss: undefined }],
      ['another aud', { aud: 'other' }],
      ['no aud', { aud: undefined }],
      ['an exp in the past', { exp: -60 }],
      ['no exp', { exp: undefined }],
      ['an exp that is not a number', { exp: 'tomorrow' }],
      ['no sub', { sub: undefined }],
      ['an empty sub', { sub: '' }],
      ['a sub that is not a string', { sub: 1 }],
      ['a sub with NUL', { sub: 'alice\0' }],
      ['a sub with half of a surrogate pair', { sub: 'alice\ud83d' }],
      ['a sub of 256 bytes', { sub: '🐕'.repeat(64) }],
      ['an nbf in the future', { nbf: 600 }],
    ])('rejects %s', async (_, claims) => {
      await expectInvalid(await issuer.createToken(claims));
    });

    it('rejects alg none', async () => {
      const token = formatToken({ alg: 'none' }, createClaims(issuer), () => Buffer.alloc(0));
      await expectInvalid(token);
    });

    it('rejects a signature with the public key as the secret of HS256', async () => {
      const { publicKey, kid } = issuer.key;
      const secret = await exportSPKI(publicKey);
      const token = formatToken({ alg: 'HS256', kid }, createClaims(issuer), (input) =>
        createHmac('sha256', secret).update(input).digest(),
      );
      await expectInvalid(token);
    });

    it('rejects the kid of another key', async () => {
      const { kid } = issuer.key;
      const other = await Issuer.start('RS256');
      await expectInvalid(await issuer.createToken({}, { kid }, other.key));
    });

    it('rejects an unknown kid', async () => {
      await expectInvalid(await issuer.createToken({}, { kid: 'unknown' }));
    });

    it('rejects an algorithm that is not in AUTH_ALGORITHMS', async () => {
      const { app } = await createTestApp({
        settings: { ...issuer.settings, AUTH_ALGORITHMS: 'ES256' },
        features: [PetsModule],
      });
      await request(app.getHttpServer())
        .get('/pets')
        .auth(await issuer.createToken(), { type: 'bearer' })
        .expect(401, INVALID);
    });

    it.each(['jku', 'x5u'])('does not read keys from the URL in %s', async (name) => {
      const attacker = await Issuer.start('RS256');
      const header = { [name]: `${attacker.url}/keys`, kid: 'key-1' };
      await expectInvalid(await issuer.createToken({}, header, attacker.key));
      expect(attacker.requests).toEqual([]);
    });

    it('does not use the key in jwk', async () => {
      const attacker = await Issuer.start('RS256');
      const header = { jwk: attacker.key.publicJwk, kid: 'key-1' };
      await expectInvalid(await issuer.createToken({}, header, attacker.key));
    });

    it('rejects a changed payload', async () => {
      const [header, , signature] = (await issuer.createToken()).split('.');
      const payload = base64url.encode(JSON.stringify(createClaims(issuer)));
      await expectInvalid([header, payload, signature].join('.'));
    });

    it.each(['a', 'a.b', 'a.b.c', 'e30.e30.AA', '....'])('rejects %s', async (token) => {
      await expectInvalid(token);
    });

    it('responds to a token of 100 kB with 431', async () => {
      await get('/pets', 'a'.repeat(100_000)).expect(431);
    });

    it('logs the reason without the token', async () => {
      const token = await issuer.createToken({ aud: 'other' });
      const { headers } = await get('/pets', token).expect(401);
      expect(log).toContainEqual(
        expect.objectContaining({
          level: 'info',
          context: 'AuthService',
          msg: 'Request rejected',
          reason: 'unexpected "aud" claim value: "other"',
          requestId: headers['x-request-id'],
        }),
      );
      expect(JSON.stringify(log)).not.toContain(token.split('.')[1]);
    });
  });

  describe('@Scopes()', () => {
    const post = (path: string, token: string) =>
      request(app.getHttpServer()).post(path).auth(token, { type: 'bearer' });

    it('authenticates', async () => {
      await request(app.getHttpServer()).post('/pets').expect(401, NOT_AUTHENTICATED);
    });

    it('accepts a token with the scope', async () => {
      const token = await issuer.createToken({ scope: 'pets:write' });
      await post('/pets', token).expect(201, { owner: 'alice' });
    });

    it('responds with 403 without the scope', async () => {
      const token = await issuer.createToken({ scope: 'pets pets:write2 write' });
      const { headers } = await post('/pets', token).expect(403, FORBIDDEN);
      expect(headers['www-authenticate']).toBe('Bearer error="insufficient_scope"');
    });

    it('requires all scopes', async () => {
      const remove = async (scope: string) =>
        request(app.getHttpServer())
          .delete('/pets')
          .auth(await issuer.createToken({ scope }), { type: 'bearer' });
      expect((await remove('pets:write')).status).toBe(403);
      expect((await remove('pets:delete pets:write')).status).toBe(200);
    });

    it('adds the scopes of a handler to the scopes of its controller', async () => {
      const createToken = (scope: string) => issuer.createToken({ scope });
      await get('/owners', await createToken('owners:read')).expect(200, []);
      await get('/owners', await createToken('owners:write')).expect(403, FORBIDDEN);
      await post('/owners', await createToken('owners:write')).expect(403, FORBIDDEN);
      await post('/owners', await createToken('owners:read owners:write')).expect(201);
    });

    it('adds the scopes of several decorators and of the base class', async () => {
      const status = async (scope: string) =>
        (await get('/vets', await issuer.createToken({ scope }))).status;
      expect(await status('vets:read staff a b')).toBe(200);
      for (const scope of [
        'staff a b',
        'vets:read a b',
        'vets:read staff b',
        'vets:read staff a',
      ]) {
        expect(await status(scope)).toBe(403);
      }
    });
  });

  describe('keys of the issuer', () => {
    it('responds with 503 while no key can be read, and keeps known keys', async () => {
      const other = await Issuer.start('ES256');
      const { app, log } = await createTestApp({
        settings: other.settings,
        features: [PetsModule],
      });
      const send = async (token: string) =>
        request(app.getHttpServer()).get('/pets').auth(token, { type: 'bearer' });
      const known = await other.createToken();
      expect((await send(known)).status).toBe(200);
      await other.close();
      expect((await send(known)).status).toBe(200);
      const { app: started } = await createTestApp({
        settings: other.settings,
        features: [PetsModule],
      });
      await request(started.getHttpServer())
        .get('/pets')
        .auth(known, { type: 'bearer' })
        .expect(503, { detail: 'Service Unavailable' });
      expect(log).toContainEqual(
        expect.objectContaining({
          level: 'error',
          err: expect.objectContaining({
            stack: expect.stringContaining('ECONNREFUSED') as unknown,
          }) as unknown,
        }),
      );
      await request(started.getHttpServer()).get('/pets/public').expect(200, ['Rex']);
    });

    it('responds with 503 if the key cannot be used', async () => {
      const other = await Issuer.start('RS256');
      const { app } = await createTestApp({ settings: other.settings, features: [PetsModule] });
      Object.assign(other.key.publicJwk, { n: 'AQAB' });
      await request(app.getHttpServer())
        .get('/pets')
        .auth(await other.createToken(), { type: 'bearer' })
        .expect(503, { detail: 'Service Unavailable' });
    });

    it('responds within the time limit while the issuer does not', async () => {
      const other = await Issuer.start('ES256');
      const { app } = await createTestApp({ settings: other.settings, features: [PetsModule] });
      other.respond = () => undefined;
      const token = await other.createToken();
      const responses = await Promise.all([
        request(app.getHttpServer()).get('/pets').auth(token, { type: 'bearer' }),
        request(app.getHttpServer()).get('/pets').auth(token, { type: 'bearer' }),
      ]);
      expect(responses.map(({ status }) => status)).toEqual([503, 503]);
      expect(other.requests).toEqual(['/.well-known/openid-configuration']);
    });
  });

  it('counts requests by outcome', async () => {
    const { app } = await createTestApp({ settings: issuer.settings, features: [PetsModule] });
    const send = (token?: string) => {
      const test = request(app.getHttpServer()).post('/pets');
      return token === undefined ? test : test.auth(token, { type: 'bearer' });
    };
    await send();
    await send('a.b.c');
    await send('a.b.c');
    await send(await issuer.createToken());
    const { text } = await request(app.getHttpServer()).get('/metrics');
    expect(text.match(/^petsage_auth_requests_total.*$/gm)).toEqual([
      'petsage_auth_requests_total{outcome="valid_token"} 1',
      'petsage_auth_requests_total{outcome="no_token"} 1',
      'petsage_auth_requests_total{outcome="invalid_token"} 2',
      'petsage_auth_requests_total{outcome="keys_unavailable"} 0',
    ]);
  });

  describe('OpenAPI document', () => {
    let document: OpenAPIObject;

    beforeAll(async () => {
      document = (await get('/openapi.json')).body as OpenAPIObject;
    });

    it('describes the scheme', () => {
      expect(document.components?.securitySchemes).toEqual({
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
      });
    });

    it('requires a token on authenticated operations only', () => {
      const { paths } = document;
      expect(paths['/pets']?.get?.security).toEqual([{ bearer: [] }]);
      expect(paths['/owners']?.post?.security).toEqual([
        { bearer: ['owners:read', 'owners:write'] },
      ]);
      expect(paths['/pets/public']?.get?.security).toBeUndefined();
      expect(document.security).toEqual([]);
    });

    it('documents 401, and 403 where a scope is required', () => {
      const { paths } = document;
      const unauthorized = { $ref: '#/components/responses/Unauthorized' };
      const forbidden = { $ref: '#/components/responses/Forbidden' };
      expect(paths['/pets']?.get?.responses).toMatchObject({ 401: unauthorized });
      expect(paths['/pets']?.get?.responses).toHaveProperty('200');
      expect(paths['/pets']?.get?.responses).not.toHaveProperty('403');
      expect(paths['/pets']?.post?.responses).toMatchObject({ 401: unauthorized, 403: forbidden });
    });
  });

  it('aborts start-up if a module does not import AuthModule', async () => {
    @Controller('cats')
    class CatsController {
      @Get()
      @Authenticated()
      find() {
        return [];
      }
    }

    @Module({ controllers: [CatsController] })
    class CatsModule {}

    await expect(createTestApp({ features: [CatsModule] })).rejects.toThrow(
      /^Nest can't resolve dependencies of the AuthGuard \(\?, Reflector\).*AuthService.*CatsModule/s,
    );
  });

  describe('without AUTH_ISSUER', () => {
    it('accepts tokens of its own key', async () => {
      const { app } = await createTestApp({ features: [PetsModule] });
      const token = await createToken(app, { sub: 'bob', scope: 'pets:read' });
      await request(app.getHttpServer())
        .get('/pets')
        .auth(token, { type: 'bearer' })
        .expect(200, { sub: 'bob', scopes: ['pets:read'] });
    });

    it('rejects tokens of another key', async () => {
      const { app } = await createTestApp({ features: [PetsModule] });
      const { privateKey } = await generateKeyPair('EdDSA');
      const token = await new SignJWT({ sub: 'mallory' })
        .setProtectedHeader({ alg: 'EdDSA' })
        .setIssuer('petsage-development')
        .setAudience('petsage-api')
        .setExpirationTime('1h')
        .sign(privateKey);
      await request(app.getHttpServer())
        .get('/pets')
        .auth(token, { type: 'bearer' })
        .expect(401, INVALID);
    });

    it('rejects a token of another algorithm', async () => {
      const { app } = await createTestApp({ features: [PetsModule] });
      await request(app.getHttpServer())
        .get('/pets')
        .auth(await issuer.createToken(), { type: 'bearer' })
        .expect(401, INVALID);
    });

    it('aborts start-up in production', async () => {
      await expect(
        createTestApp({ settings: { NODE_ENV: 'production' }, features: [PetsModule] }),
      ).rejects.toThrow(
        /^AUTH_ISSUER: expected an https URL .*, but it is not set\..*\nAUTH_AUDIENCE: expected .*, but it is not set\./,
      );
    });
  });
});
