import {
  ClassSerializerInterceptor,
  Controller,
  Get,
  Module,
  Param,
  ParseIntPipe,
  SerializeOptions,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Exclude, Expose, Transform } from 'class-transformer';
import request from 'supertest';
import { createTestApp, type TestApp } from '../fixtures/app.js';

class RoleEntity {
  constructor(readonly name: string) {}
}

class UserEntity {
  id!: number;
  firstName!: string;
  lastName!: string;

  @Exclude()
  password!: string;

  @Transform(({ value }: { value?: RoleEntity }) => value?.name)
  role?: RoleEntity;

  @Expose({ groups: ['admin'] })
  email?: string;

  constructor(partial: Partial<UserEntity>) {
    Object.assign(this, partial);
  }

  @Expose()
  get fullName(): string {
    return `${this.firstName} ${this.lastName}`;
  }
}

class PrefixedEntity {
  id = 1;
  _secret = 'secret';
}

const JOHN = {
  id: 1,
  firstName: 'John',
  lastName: 'Doe',
  password: 'password',
  email: 'j@doe.com',
};

@Controller('users')
@UseInterceptors(ClassSerializerInterceptor)
class UsersController {
  @Get('one')
  findOne(): UserEntity {
    return new UserEntity({ ...JOHN, role: new RoleEntity('admin') });
  }

  @Get('list')
  async findAll(): Promise<UserEntity[]> {
    return Promise.resolve([new UserEntity(JOHN), new UserEntity({ ...JOHN, id: 2 })]);
  }

  @Get('prefix')
  @SerializeOptions({ excludePrefixes: ['_'] })
  findPrefixed(): PrefixedEntity {
    return new PrefixedEntity();
  }

  @Get('group')
  @SerializeOptions({ groups: ['admin'] })
  findForAdmin(): UserEntity {
    return new UserEntity(JOHN);
  }

  @Get('plain/:id')
  @SerializeOptions({ type: UserEntity })
  findPlain(@Param('id', ParseIntPipe) id: number): Partial<UserEntity> {
    return { ...JOHN, id };
  }

  @Get('nested')
  findNested() {
    return { user: new UserEntity(JOHN) };
  }
}

@Controller('global')
class GlobalController {
  @Get()
  findOne(): UserEntity {
    return new UserEntity(JOHN);
  }
}

const SERIALIZED = { id: 1, firstName: 'John', lastName: 'Doe', fullName: 'John Doe' };

describe('the chapter "Serialization"', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    @Module({ controllers: [UsersController] })
    class UsersModule {}

    const { app } = await createTestApp({ features: [UsersModule] });
    server = app.getHttpServer();
  });

  it.each([
    ['@Exclude(), @Expose() and @Transform()', 'one', { ...SERIALIZED, role: 'admin' }],
    ['a list', 'list', [SERIALIZED, { ...SERIALIZED, id: 2 }]],
    ['excludePrefixes', 'prefix', { id: 1 }],
    ['groups', 'group', { ...SERIALIZED, email: 'j@doe.com' }],
    ['a plain object with a type', 'plain/5', { ...SERIALIZED, id: 5 }],
    ['an instance in a plain object', 'nested', { user: SERIALIZED }],
  ])('serializes %s', async (_, path, body) => {
    await request(server).get(`/users/${path}`).expect(200, body);
  });

  it('is global with APP_INTERCEPTOR, and keeps the responses of the platform', async () => {
    @Module({
      controllers: [GlobalController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor }],
    })
    class GlobalModule {}

    const { app } = await createTestApp({ features: [GlobalModule] });
    await request(app.getHttpServer()).get('/global').expect(200, SERIALIZED);
    await request(app.getHttpServer())
      .get('/system/healthz')
      .expect(200, { status: 'ok', message: 'PetSage API is alive and running!' });
    await request(app.getHttpServer())
      .get('/system/readyz')
      .expect(200, { status: 'ok', checks: { event_loop: 'up', log: 'up' } });
  });
});
