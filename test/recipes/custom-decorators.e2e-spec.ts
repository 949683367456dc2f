import {
  applyDecorators,
  type CanActivate,
  Controller,
  createParamDecorator,
  type ExecutionContext,
  Get,
  Injectable,
  Module,
  ParseIntPipe,
  SetMetadata,
  UseGuards,
  ValidationPipe,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiBearerAuth, ApiUnauthorizedResponse } from '@nestjs/swagger';
import { IsString } from 'class-validator';
import type { Request } from 'express';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

class UserEntity {
  @IsString()
  firstName!: string;
}

interface AuthenticatedRequest extends Request {
  user?: Record<string, unknown> & { roles?: string[] };
}

const User = createParamDecorator((data: string | undefined, ctx: ExecutionContext) => {
  const { user } = ctx.switchToHttp().getRequest<AuthenticatedRequest>();
  return data ? user?.[data] : user;
});

/** Stands for the authentication: the user is the value of a header. */
@Injectable()
class AuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const user = request.get('X-User');
    if (user === undefined) return false;
    request.user = JSON.parse(user) as AuthenticatedRequest['user'];
    return true;
  }
}

@Injectable()
class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const roles = this.reflector.get<string[]>('roles', context.getHandler());
    const { user } = context.switchToHttp().getRequest<AuthenticatedRequest>();
    return roles.some((role) => user?.roles?.includes(role));
  }
}

function Auth(...roles: string[]) {
  return applyDecorators(
    SetMetadata('roles', roles),
    UseGuards(AuthGuard, RolesGuard),
    ApiBearerAuth(),
    ApiUnauthorizedResponse({ description: 'Unauthorized' }),
  );
}

@Controller('users')
class UsersController {
  @Get('me')
  @UseGuards(AuthGuard)
  findMe(@User() user: object) {
    return user;
  }

  @Get('name')
  @UseGuards(AuthGuard)
  findName(@User('firstName') firstName: string) {
    return { hello: firstName };
  }

  @Get('id')
  @UseGuards(AuthGuard)
  findId(@User('id', ParseIntPipe) id: number) {
    return { id };
  }

  @Get('unvalidated')
  @UseGuards(AuthGuard)
  findUnvalidated(@User() user: UserEntity) {
    return user;
  }

  @Get('validated')
  @UseGuards(AuthGuard)
  findValidated(
    @User(new ValidationPipe({ validateCustomDecorators: true }))
    user: UserEntity,
  ) {
    return user;
  }

  @Get()
  @Auth('admin')
  findAllUsers() {
    return [];
  }
}

@Module({ controllers: [UsersController] })
class UsersModule {}

describe('the chapter "Custom decorators"', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [UsersModule] });
    server = app.getHttpServer();
  });

  const USER = { id: '101', firstName: 'Alan', roles: ['admin'] };

  it.each([
    ['the user', '/users/me', USER, 200, USER],
    ['a field of the user', '/users/name', USER, 200, { hello: 'Alan' }],
    ['a value to a pipe', '/users/id', USER, 200, { id: 101 }],
    [
      'a value that a pipe rejects',
      '/users/id',
      { id: 'x' },
      400,
      { detail: 'Validation failed (numeric string is expected)' },
    ],
    ['a value without validation', '/users/unvalidated', { firstName: 5 }, 200, { firstName: 5 }],
    ['a value to a ValidationPipe', '/users/validated', USER, 200, USER],
    [
      'a value that a ValidationPipe rejects',
      '/users/validated',
      { firstName: 5 },
      400,
      { detail: ['firstName must be a string'] },
    ],
  ])('pass %s', async (_, path, user, status, body) => {
    await request(server).get(path).set('X-User', JSON.stringify(user)).expect(status, body);
  });

  it('are composed with applyDecorators()', async () => {
    await request(server).get('/users').expect(403, { detail: 'Forbidden resource' });
    await request(server)
      .get('/users')
      .set('X-User', '{"roles":["user"]}')
      .expect(403, { detail: 'Forbidden resource' });
    await request(server).get('/users').set('X-User', '{"roles":["admin"]}').expect(200, []);
    const { text } = await request(server).get('/openapi.json').expect(200);
    const { paths } = JSON.parse(text) as {
      paths: Record<string, { get: { security: unknown; responses: Record<string, unknown> } }>;
    };
    expect(paths['/users']?.get.security).toEqual([{ bearer: [] }]);
    expect(paths['/users']?.get.responses).toHaveProperty('401.description', 'Unauthorized');
  });
});
