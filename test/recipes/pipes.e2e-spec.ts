import {
  type ArgumentMetadata,
  BadRequestException,
  Body,
  Controller,
  DefaultValuePipe,
  Get,
  HttpStatus,
  Injectable,
  Module,
  NotFoundException,
  Param,
  ParseArrayPipe,
  ParseBoolPipe,
  ParseDatePipe,
  ParseEnumPipe,
  ParseFloatPipe,
  ParseIntPipe,
  ParseUUIDPipe,
  type PipeTransform,
  Post,
  Put,
  Query,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { IsEmail, IsNotEmpty, IsNumberString } from 'class-validator';
import request from 'supertest';
import { z, type ZodType } from 'zod';
import { createTestApp, type TestApp } from '../fixtures/app.js';

enum Breed {
  Persian = 'persian',
  Siamese = 'siamese',
}

class ZodValidationPipe implements PipeTransform {
  constructor(private readonly schema: ZodType) {}

  transform(value: unknown, metadata: ArgumentMetadata) {
    try {
      const parsedValue = this.schema.parse(value);
      return parsedValue;
    } catch {
      throw new BadRequestException('Validation failed');
    }
  }
}

const createCatSchema = z
  .object({
    name: z.string(),
    age: z.number(),
    breed: z.string(),
  })
  .required();

type CreateCatDto = z.infer<typeof createCatSchema>;

class UserEntity {
  constructor(
    readonly id: number,
    readonly firstName: string,
  ) {}
}

@Injectable()
class UsersService {
  findOne(id: string) {
    return id === '1' ? new UserEntity(1, 'John') : undefined;
  }
}

@Injectable()
class UserByIdPipe implements PipeTransform<string, UserEntity> {
  constructor(private readonly users: UsersService) {}

  transform(value: string): UserEntity {
    const user = this.users.findOne(value);
    if (user === undefined) throw new NotFoundException('No user');
    return user;
  }
}

class CreateUserDto {
  @IsEmail()
  email!: string;

  @IsNotEmpty()
  password!: string;
}

class FindOneParams {
  @IsNumberString()
  id!: string;
}

@Controller('cats')
class CatsController {
  @Get()
  findAll(
    @Query('activeOnly', new DefaultValuePipe(false), ParseBoolPipe) activeOnly: boolean,
    @Query('page', new DefaultValuePipe(0), ParseIntPipe) page: number,
  ) {
    return { activeOnly, page };
  }

  @Get('int/:id')
  findOne(@Param('id', ParseIntPipe) id: number) {
    return { id };
  }

  @Get('not-acceptable/:id')
  findAcceptable(
    @Param('id', new ParseIntPipe({ errorHttpStatusCode: HttpStatus.NOT_ACCEPTABLE }))
    id: number,
  ) {
    return { id };
  }

  @Get('factory/:id')
  findByFactory(
    @Param('id', new ParseIntPipe({ exceptionFactory: (error) => new NotFoundException(error) }))
    id: number,
  ) {
    return { id };
  }

  @Get('optional')
  findOptional(@Query('page', new ParseIntPipe({ optional: true })) page?: number) {
    return { page: page ?? null };
  }

  @Get('uuid/:uuid')
  findUuid(@Param('uuid', new ParseUUIDPipe({ version: '4' })) uuid: string) {
    return { uuid };
  }

  @Get('values')
  findValues(
    @Query('weight', ParseFloatPipe) weight: number,
    @Query('breed', new ParseEnumPipe(Breed)) breed: Breed,
    @Query('born', ParseDatePipe) born: Date,
    @Query('ids', new ParseArrayPipe({ items: Number, separator: ',' })) ids: number[],
  ) {
    return { weight, breed, born, ids };
  }

  @Post()
  @UsePipes(new ZodValidationPipe(createCatSchema))
  create(@Body() createCatDto: CreateCatDto) {
    return createCatDto;
  }

  @Put('/:id')
  update(
    @Param('id', ParseIntPipe) id: number,
    @Body(new ZodValidationPipe(createCatSchema)) body: CreateCatDto,
  ) {
    return { id, body };
  }
}

@Controller('users')
class UsersController {
  @Post()
  create(@Body() createUserDto: CreateUserDto) {
    return 'This action adds a new user';
  }

  @Post('bulk')
  createBulk(
    @Body(new ParseArrayPipe({ items: CreateUserDto }))
    createUserDtos: CreateUserDto[],
  ) {
    return { count: createUserDtos.length };
  }

  @Post('validation-pipe')
  @UsePipes(new ValidationPipe({ transform: true }))
  createValidated(@Body() createUserDto: CreateUserDto) {
    return { isInstance: createUserDto instanceof CreateUserDto };
  }

  @Get('params/:id')
  findByParams(@Param() params: FindOneParams) {
    return params;
  }

  @Get(':id')
  findOne(@Param('id', UserByIdPipe) userEntity: UserEntity) {
    return userEntity;
  }
}

@Module({ controllers: [CatsController, UsersController], providers: [UsersService] })
class CatsModule {}

describe('the chapter "Pipes"', () => {
  let server: ReturnType<TestApp['app']['getHttpServer']>;

  beforeAll(async () => {
    const { app } = await createTestApp({ features: [CatsModule] });
    server = app.getHttpServer();
  });

  const NUMERIC = { detail: 'Validation failed (numeric string is expected)' };

  it.each([
    ['/cats/int/5', 200, { id: 5 }],
    ['/cats/int/abc', 400, NUMERIC],
    ['/cats/not-acceptable/abc', 406, NUMERIC],
    ['/cats/factory/abc', 404, NUMERIC],
    ['/cats/optional', 200, { page: null }],
    ['/cats/optional?page=3', 200, { page: 3 }],
    ['/cats/optional?page=x', 400, NUMERIC],
    [
      '/cats/uuid/0e1a1b1c-7a1b-4c1d-8e1f-0a1b2c3d4e5f',
      200,
      { uuid: '0e1a1b1c-7a1b-4c1d-8e1f-0a1b2c3d4e5f' },
    ],
    ['/cats/uuid/5', 400, { detail: 'Validation failed (uuid v 4 is expected)' }],
    [
      '/cats/values?weight=1.5&breed=persian&born=2026-12-01&ids=1,2,3',
      200,
      { weight: 1.5, breed: 'persian', born: '2026-12-01T00:00:00.000Z', ids: [1, 2, 3] },
    ],
    ['/cats/values?weight=x&breed=persian&born=2026-12-01&ids=1', 400, NUMERIC],
    [
      '/cats/values?weight=1&breed=tabby&born=2026-12-01&ids=1',
      400,
      { detail: 'Validation failed (enum string is expected)' },
    ],
    [
      '/cats/values?weight=1&breed=persian&born=x&ids=1',
      400,
      { detail: 'Validation failed (invalid date format)' },
    ],
    [
      '/cats/values?weight=1&breed=persian&born=2026-12-01&ids=1,x',
      400,
      { detail: '[1] item must be a number' },
    ],
    ['/cats', 200, { activeOnly: false, page: 0 }],
    ['/cats?activeOnly=true&page=4', 200, { activeOnly: true, page: 4 }],
    ['/users/1', 200, { id: 1, firstName: 'John' }],
    ['/users/2', 404, { detail: 'No user' }],
    ['/users/params/5', 200, { id: '5' }],
  ])('responds to GET %s with %d', async (path, status, body) => {
    await request(server).get(path).expect(status, body);
  });

  it('validates with a schema', async () => {
    const cat = { name: 'Tom', age: 2, breed: 'Persian' };
    await request(server)
      .post('/cats')
      .send({ ...cat, unknown: true })
      .expect(201, cat);
    await request(server)
      .post('/cats')
      .send({ ...cat, age: '2' })
      .expect(400, { detail: 'Validation failed' });
    await request(server).put('/cats/5').send(cat).expect(200, { id: 5, body: cat });
    await request(server)
      .put('/cats/5')
      .send({ name: 'Tom' })
      .expect(400, { detail: 'Validation failed' });
    await request(server).put('/cats/x').send(cat).expect(400, NUMERIC);
  });

  it('validates DTOs with the format of FastAPI', async () => {
    const user = { email: 'john@example.com', password: 'secret' };
    await request(server).post('/users').send(user).expect(201, 'This action adds a new user');
    const error = {
      type: 'value_error',
      loc: ['body', 'email'],
      msg: 'email must be an email',
      input: 'john',
    };
    await request(server)
      .post('/users')
      .send({ ...user, email: 'john' })
      .expect(422, { detail: [error] });
    await request(server).post('/users/bulk').send([user, user]).expect(201, { count: 2 });
    await request(server)
      .post('/users/bulk')
      .send([user, { ...user, email: 'john' }])
      .expect(400, { detail: ['email must be an email'] });
  });

  it('leaves a handler with a ValidationPipe to this pipe', async () => {
    const user = { email: 'john@example.com', password: 'secret' };
    const path = '/users/validation-pipe';
    await request(server).post(path).send(user).expect(201, { isInstance: true });
    await request(server)
      .post(path)
      .send({ ...user, email: 'john' })
      .expect(400, { detail: ['email must be an email'] });
  });
});

describe('APP_PIPE of a feature', () => {
  @Injectable()
  class TrimPipe implements PipeTransform {
    constructor(private readonly users: UsersService) {}

    transform(value: unknown, { type }: ArgumentMetadata) {
      expect(this.users).toBeInstanceOf(UsersService);
      return type === 'query' && typeof value === 'string' ? value.trim() : value;
    }
  }

  @Controller('trimmed')
  class TrimmedController {
    @Get()
    read(@Query('name') name: string, @Query('page', ParseIntPipe) page: number) {
      return { name, page };
    }
  }

  @Module({
    controllers: [TrimmedController, UsersController],
    providers: [UsersService, { provide: APP_PIPE, useClass: TrimPipe }],
  })
  class TrimModule {}

  it('changes the parameters before their own pipes, in addition to the validation', async () => {
    const { app } = await createTestApp({ features: [TrimModule] });
    const server = app.getHttpServer();
    await request(server)
      .get('/trimmed?name=%20Tom%20&page=%205')
      .expect(200, { name: 'Tom', page: 5 });
    await request(server).post('/users').send({ email: 'john' }).expect(422);
  });
});
