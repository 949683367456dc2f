import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  applyDecorators,
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  Post,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { ApiBearerAuth, ApiSecurity } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { sql } from 'kysely';
import request from 'supertest';
import { AuthGuard } from '../../src/platform/auth/auth.guard.js';
import { AuthModule } from '../../src/platform/auth/auth.module.js';
import { CurrentUser } from '../../src/platform/auth/current-user.decorator.js';
import { Scopes } from '../../src/platform/auth/scopes.decorator.js';
import type { AuthenticatedUser } from '../../src/platform/auth/token-verifier.service.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { createTestApp, type TestApp } from '../fixtures/app.js';
import { createToken } from '../fixtures/tokens.js';

interface ApiKeyTables {
  api_keys: { hash: string; owner_sub: string; scopes: string[] };
}

@Injectable()
class ApiKeyRepository {
  constructor(private readonly database: DatabaseService<ApiKeyTables>) {}

  async find(hash: string) {
    const { db } = this.database;
    return db.selectFrom('api_keys').selectAll().where('hash', '=', hash).executeTakeFirst();
  }
}

/** Accepts a key in the header `X-API-Key`, or else a bearer token. */
@Injectable()
class ApiKeyOrTokenGuard implements CanActivate {
  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly authGuard: AuthGuard,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const key = request.get('X-API-Key');
    if (key !== undefined) {
      const row = await this.keys.find(createHash('sha256').update(key).digest('hex'));
      if (row === undefined) {
        http.getResponse<Response>().set('WWW-Authenticate', 'Bearer');
        throw new UnauthorizedException('Could not validate credentials');
      }
      request.authenticatedUser = { sub: row.owner_sub, scopes: row.scopes, claims: {} };
    }
    // Verifies a token if there is no user yet, and checks the scopes of both.
    return this.authGuard.canActivate(context);
  }
}

const ApiKeyOrToken = () =>
  applyDecorators(UseGuards(ApiKeyOrTokenGuard), ApiBearerAuth(), ApiSecurity('api_key'));

@Controller('partners')
@ApiKeyOrToken()
class PartnersController {
  @Get()
  find(@CurrentUser() { sub }: AuthenticatedUser) {
    return { sub };
  }

  @Post()
  @Scopes('partners:write')
  create(@CurrentUser() { sub }: AuthenticatedUser) {
    return { sub };
  }
}

@Module({
  imports: [AuthModule, DatabaseModule],
  controllers: [PartnersController],
  providers: [ApiKeyRepository, AuthGuard],
})
class PartnersModule {}

@Controller('order-of-guards')
class OrderController {
  @Get('above')
  @Scopes('partners:write')
  @ApiKeyOrToken()
  findAbove() {
    return {};
  }

  @Get('below')
  @ApiKeyOrToken()
  @Scopes('partners:write')
  findBelow() {
    return {};
  }

  @Post('body')
  @ApiKeyOrToken()
  create(@Body() body: unknown) {
    return body;
  }
}

@Module({
  imports: [AuthModule, DatabaseModule],
  controllers: [OrderController],
  providers: [ApiKeyRepository, AuthGuard],
})
class OrderModule {}

const KEY = 'a random key';
const READ_KEY = 'another random key';

async function readBlocks(language: string): Promise<string[]> {
  const document = await readFile('docs/authentication.md', 'utf8');
  const [, section = ''] = /\n### API keys\n(.*?)\n## /s.exec(document) ?? [];
  const blocks = section.matchAll(new RegExp('```' + language + '\\n(.*?)```', 'gs'));
  return [...blocks].map(([, block = '']) => block);
}

describe('API keys', () => {
  let app: TestApp['app'];
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    ({ app } = await createTestApp({ features: [PartnersModule, OrderModule] }));
    server = app.getHttpServer();
    const { db } = app.get<DatabaseService<ApiKeyTables>>(DatabaseService, { strict: false });
    for (const statement of await readBlocks('sql')) await sql.raw(statement).execute(db);
    const rows = [
      { key: KEY, scopes: ['partners:write'] },
      { key: READ_KEY, scopes: [] },
    ].map(({ key, scopes }) => ({
      hash: createHash('sha256').update(key).digest('hex'),
      owner_sub: 'clinic',
      scopes,
    }));
    await db.insertInto('api_keys').values(rows).execute();
  });

  it('shows its code in docs/authentication.md', async () => {
    const source = await readFile('test/recipes/api-keys.e2e-spec.ts', 'utf8');
    const [block, ...others] = await readBlocks('ts');
    expect(others).toEqual([]);
    const [, imports = '', code = ''] =
      /^((?:import .*\n)+)\n(.*)$/s.exec(
        block?.replaceAll("'../../platform/", "'../../src/platform/") ?? '',
      ) ?? [];
    expect(source).toContain(code);
    for (const line of imports.trim().split('\n')) expect(source).toContain(`${line}\n`);
  });

  it('authenticate the user of a key or a token', async () => {
    const token = await createToken(app, { sub: 'alice' });
    await request(server).get('/partners').set('X-API-Key', KEY).expect(200, { sub: 'clinic' });
    await request(server)
      .get('/partners')
      .auth(token, { type: 'bearer' })
      .expect(200, { sub: 'alice' });
  });

  it('reject other credentials', async () => {
    const invalid = { detail: 'Could not validate credentials' };
    await request(server).get('/partners').expect(401, { detail: 'Not authenticated' });
    await request(server)
      .get('/partners')
      .set('X-API-Key', 'wrong')
      .expect('WWW-Authenticate', 'Bearer')
      .expect(401, invalid);
    await request(server).get('/partners').auth('wrong', { type: 'bearer' }).expect(401, invalid);
  });

  it('have scopes that @Scopes() requires', async () => {
    const detail = 'Not enough permissions';
    await request(server).post('/partners').set('X-API-Key', KEY).expect(201, { sub: 'clinic' });
    await request(server).post('/partners').set('X-API-Key', READ_KEY).expect(403, { detail });
  });

  it('need @Scopes() above the guard', async () => {
    await request(server).get('/order-of-guards/above').set('X-API-Key', KEY).expect(200);
    await request(server)
      .get('/order-of-guards/below')
      .set('X-API-Key', KEY)
      .expect(401, { detail: 'Not authenticated' });
  });

  it('are not read before a body that cannot be parsed is rejected', async () => {
    await request(server).post('/order-of-guards/body').send({}).expect(401);
    await request(server).post('/order-of-guards/body').type('json').send('{').expect(422);
  });

  it('are a security scheme of the document, beside tokens', async () => {
    const response = await request(server).get('/openapi.json').expect(200);
    expect(response.body as unknown).toMatchObject({
      paths: {
        '/partners': { get: { security: [{ bearer: [] }, { api_key: [] }] } },
      },
      components: {
        securitySchemes: { api_key: { type: 'apiKey', in: 'header', name: 'X-API-Key' } },
      },
    });
  });
});
