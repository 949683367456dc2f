import {
  Body,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  HttpStatus,
  Injectable,
  Module,
  Post,
  Request,
  SetMetadata,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, Reflector } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { IsString } from 'class-validator';
import type { Request as ExpressRequest } from 'express';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

type Server = ReturnType<TestApp['app']['getHttpServer']>;

interface User {
  sub: number;
  username: string;
  roles: Role[];
}

enum Role {
  User = 'user',
  Admin = 'admin',
}

const IS_PUBLIC_KEY = 'isPublic';
const Public = () => SetMetadata(IS_PUBLIC_KEY, true);

const ROLES_KEY = 'roles';
const Roles = (...roles: Role[]) => SetMetadata(ROLES_KEY, roles);

class LoginDto {
  @IsString()
  username!: string;

  @IsString()
  password!: string;
}

@Injectable()
class AuthGuard implements CanActivate {
  constructor(
    private readonly jwtService: JwtService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPublic = this.reflector.getAllAndOverride<boolean | undefined>(IS_PUBLIC_KEY, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (isPublic) return true;
    const req = context.switchToHttp().getRequest<ExpressRequest & { user?: User }>();
    const [type, token] = req.headers.authorization?.split(' ') ?? [];
    if (type !== 'Bearer' || token === undefined) throw new UnauthorizedException();
    try {
      req.user = await this.jwtService.verifyAsync<User>(token);
    } catch {
      throw new UnauthorizedException();
    }
    return true;
  }
}

@Injectable()
class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const required = this.reflector.getAllAndOverride<Role[] | undefined>(ROLES_KEY, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (!required) return true;
    const { user } = context.switchToHttp().getRequest<{ user: User }>();
    return required.some((role) => user.roles.includes(role));
  }
}

@Injectable()
class AuthService {
  constructor(private readonly jwtService: JwtService) {}

  async signIn(username: string, password: string): Promise<{ access_token: string }> {
    if (password !== `password of ${username}`) throw new UnauthorizedException();
    const roles = username === 'ada' ? [Role.User, Role.Admin] : [Role.User];
    return { access_token: await this.jwtService.signAsync({ sub: 1, username, roles }) };
  }
}

@Controller('auth')
class AuthController {
  constructor(private readonly authService: AuthService) {}

  @Public()
  @HttpCode(HttpStatus.OK)
  @Post('login')
  signIn(@Body() { username, password }: LoginDto) {
    return this.authService.signIn(username, password);
  }

  @Get('profile')
  getProfile(@Request() req: { user: User }) {
    const { sub, username, roles } = req.user;
    return { sub, username, roles };
  }

  @Roles(Role.Admin)
  @Get('users')
  listUsers() {
    return { users: ['ada', 'ben'] };
  }
}

const jwt = JwtModule.register({
  global: true,
  secret: 'secret of this test',
  signOptions: { expiresIn: '60s' },
});

@Module({
  imports: [jwt],
  controllers: [AuthController],
  providers: [
    AuthService,
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useClass: RolesGuard },
  ],
})
class AuthModule {}

async function signIn(server: Server, username: string): Promise<string> {
  const response = await request(server)
    .post('/auth/login')
    .send({ username, password: `password of ${username}` })
    .expect(200);
  return `Bearer ${(response.body as { access_token: string }).access_token}`;
}

describe('AuthGuard as APP_GUARD', () => {
  let server: Server;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [AuthModule] });
    server = app.getHttpServer();
  });

  it('accepts the token of a user who has signed in', async () => {
    await request(server)
      .get('/auth/profile')
      .set('Authorization', await signIn(server, 'ben'))
      .expect(200, { sub: 1, username: 'ben', roles: ['user'] });
  });

  it.each([
    ['no token', ''],
    ['another scheme', 'Basic YTpi'],
    ['an invalid token', 'Bearer a.b.c'],
    [
      'a token of another issuer',
      `Bearer ${new JwtService({ secret: 'another' }).sign({ sub: 1 })}`,
    ],
    [
      'an expired token',
      `Bearer ${new JwtService({ secret: 'secret of this test' }).sign({ sub: 1, exp: 1 })}`,
    ],
  ])('rejects %s with 401', async (_, authorization) => {
    await request(server)
      .get('/auth/profile')
      .set('Authorization', authorization)
      .expect(401, { detail: 'Unauthorized' });
  });

  it('lets handlers pass that are public, whose bodies are validated', async () => {
    await request(server)
      .post('/auth/login')
      .send({ username: 'ben', password: 'wrong' })
      .expect(401, { detail: 'Unauthorized' });
    await request(server)
      .post('/auth/login')
      .send({ username: 'ben' })
      .expect(422, {
        detail: [
          {
            type: 'missing',
            loc: ['body', 'password'],
            msg: 'Field required',
            input: { username: 'ben' },
          },
        ],
      });
  });

  it('lets the routes of the platform pass', async () => {
    for (const path of [
      '/',
      '/system/healthz',
      '/system/readyz',
      '/system/info',
      '/metrics',
      '/smoke-test',
      '/api/v1/smoke-test',
      '/v1/health/smoke-test',
      '/docs',
      '/openapi.json',
    ]) {
      await request(server).get(path).expect(200);
    }
    await request(server).post('/api/v1/system/smoke-test').send({ ping: 'a' }).expect(200);
  });

  it('does not run for unknown paths and methods', async () => {
    await request(server).get('/auth/unknown').expect(404, { detail: 'Not Found' });
    await request(server).delete('/auth/profile').expect(405, { detail: 'Method Not Allowed' });
  });
});

describe('RolesGuard as APP_GUARD', () => {
  it('rejects users without the role with 403', async () => {
    const { app } = await createTestApp({ features: [AuthModule] });
    const server = app.getHttpServer();
    await request(server)
      .get('/auth/users')
      .set('Authorization', await signIn(server, 'ada'))
      .expect(200, { users: ['ada', 'ben'] });
    await request(server)
      .get('/auth/users')
      .set('Authorization', await signIn(server, 'ben'))
      .expect(403, { detail: 'Forbidden resource' });
  });
});

describe('AuthGuard of a handler', () => {
  it('protects this handler only', async () => {
    @Controller('pets')
    class PetsController {
      @Get()
      list() {
        return { pets: [] };
      }

      @UseGuards(AuthGuard)
      @Get('own')
      listOwn() {
        return { pets: [] };
      }
    }

    @Module({ imports: [jwt], controllers: [PetsController] })
    class PetsModule {}

    const { app } = await createTestApp({ features: [PetsModule] });
    const server = app.getHttpServer();
    await request(server).get('/pets').expect(200, { pets: [] });
    await request(server).get('/pets/own').expect(401, { detail: 'Unauthorized' });
    const token = new JwtService({ secret: 'secret of this test' }).sign({ sub: 1 });
    await request(server)
      .get('/pets/own')
      .set('Authorization', `Bearer ${token}`)
      .expect(200, { pets: [] });
  });
});
