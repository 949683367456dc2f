import {
  Body,
  Controller,
  HttpCode,
  Injectable,
  Module,
  Param,
  ParseArrayPipe,
  ParseIntPipe,
  type PipeTransform,
  Post,
  type Provider,
  Query,
  Req,
  Scope,
  type Type,
  UsePipes,
  ValidationPipe,
} from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ApiProperty, IntersectionType, OmitType, PartialType, PickType } from '@nestjs/swagger';
import { Expose, Transform, type TransformFnParams, Type as Nested } from 'class-transformer';
import {
  Allow,
  ArrayUnique,
  IsArray,
  IsDefined,
  IsEmail,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  MinLength,
  registerDecorator,
  Validate,
  ValidateIf,
  ValidateNested,
  ValidatePromise,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import express from 'express';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';

const MISSING = { type: 'missing', msg: 'Field required' };
const STRING_TYPE = { type: 'string_type', msg: 'Input should be a valid string' };
const INT_TYPE = { type: 'int_type', msg: 'Input should be a valid integer' };
const MODEL_TYPE = {
  type: 'model_attributes_type',
  msg: 'Input should be a valid dictionary or object to extract fields from',
};
const LIST_TYPE = { type: 'list_type', msg: 'Input should be a valid list' };

class OwnerDto {
  @ApiProperty()
  @IsString()
  name!: string;

  @ApiProperty()
  @IsOptional()
  @IsInt()
  age?: number;
}

/** An entity with rules, as TypeORM's documentation shows. */
class User {
  @IsInt()
  id!: number;

  @IsEmail()
  email!: string;
}

/** Has decorators of class-transformer, but no rules. */
class Unvalidated {
  @Expose({ name: 'full_name' })
  @Nested(() => Number)
  name!: unknown;
}

@Injectable()
class NameService {
  readonly taken = new Set(['Rex']);
}

@ValidatorConstraint({ name: 'isFree', async: true })
@Injectable()
class IsFree implements ValidatorConstraintInterface {
  constructor(private readonly names: NameService) {}

  async validate(name: string): Promise<boolean> {
    return Promise.resolve(!this.names.taken.has(name.trim()));
  }

  defaultMessage(): string {
    return '$property $value is taken';
  }
}

class NewNameDto {
  @Validate(IsFree)
  @IsString()
  name!: string;
}

function IsLongerThan(other: string): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'isLongerThan',
      target: target.constructor,
      propertyName: propertyName as string,
      constraints: [other],
      options: { message: `$property must be longer than ${other}` },
      validator: {
        validate: (value: string, args) =>
          value.length > String((args?.object as Record<string, unknown>)[other]).length,
      },
    });
  };
}

class Animal {
  @IsOptional()
  @IsIn(['dog', 'cat'])
  kind?: string;

  @IsString()
  name!: string;
}

class Dog extends Animal {
  @IsInt()
  barks!: number;
}

class Cat extends Animal {
  @IsInt()
  lives!: number;
}

const discriminator = {
  property: 'kind',
  subTypes: [
    { value: Dog, name: 'dog' },
    { value: Cat, name: 'cat' },
  ],
};

class ShelterDto {
  @IsOptional()
  @ValidateNested()
  @Nested(() => Animal, { discriminator, keepDiscriminatorProperty: true })
  favorite?: Dog | Cat;

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Nested(() => Animal, { discriminator })
  animals?: (Dog | Cat)[];
}

class EverythingDto extends IntersectionType(
  PickType(OwnerDto, ['name'] as const),
  PartialType(OmitType(OwnerDto, ['name'] as const)),
) {
  @IsOptional()
  @IsLongerThan('name')
  @IsString()
  nickname?: string;

  @ValidateIf((dto: EverythingDto) => dto.nickname !== undefined)
  @IsString()
  reason?: string;

  @Allow()
  note?: unknown;

  @IsOptional()
  @IsDefined()
  @ValidateNested()
  @Nested(() => OwnerDto)
  owner?: OwnerDto;

  @IsOptional()
  @ValidateNested()
  @Nested(() => OwnerDto)
  grid?: OwnerDto[][];

  @IsOptional()
  @ValidateNested({ each: true })
  @Nested(() => OwnerDto)
  byName?: Map<string, OwnerDto>;

  @IsOptional()
  @IsString({ each: true })
  @Nested(() => String)
  tags?: Set<string>;

  @IsOptional()
  @ArrayUnique((owner: OwnerDto) => owner.name.toLowerCase())
  @ValidateNested({ each: true })
  @Nested(() => OwnerDto)
  owners?: OwnerDto[];

  @IsOptional()
  @ValidatePromise()
  @MinLength(2)
  @Transform(({ value }) => Promise.resolve(value))
  later?: Promise<string>;

  @IsOptional()
  @Expose({ name: 'full_name' })
  @IsString()
  fullName?: string;
}

class SecretDto {
  @IsString()
  password!: string;

  @IsOptional()
  @Transform(({ value }: TransformFnParams) => (value as string).trim())
  transformed?: string;

  @IsOptional()
  @IsThrowing()
  constrained?: unknown;

  @IsOptional()
  @ValidateIf((_, value: string) => value.trim() !== '')
  conditional?: unknown;
}

function IsThrowing(): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      target: target.constructor,
      propertyName: propertyName as string,
      validator: { validate: (value: string) => value.trim() !== '' },
    });
  };
}

/** Has no rules, so it is converted but not validated. */
class Label {
  @Transform(({ value }: TransformFnParams) => (value as string).trim())
  text!: string;
}

class AttachmentDto {
  @IsOptional()
  @IsDefined()
  @Nested(() => Buffer)
  bytes?: Buffer;

  @Allow()
  @Nested(() => Label)
  label?: Label;
}

class ChangedDto {
  @Transform(({ value, obj }: TransformFnParams) => {
    delete (obj as Partial<OwnerDto>).name;
    return value as unknown;
  })
  @IsInt()
  id!: number;

  @IsOptional()
  @ValidateNested()
  @Transform(({ obj }: TransformFnParams) =>
    Object.assign((obj as { owner: object }).owner, { constructor: OwnerDto }),
  )
  owner?: OwnerDto;
}

class GroupDto {
  @IsOptional({ groups: ['update'] })
  @IsString({ always: true })
  name?: string;
}

class UserByIdPipe implements PipeTransform {
  transform(id: string): User | null {
    return id === '0' ? null : Object.assign(new User(), { id: Number(id), email: 'not checked' });
  }
}

/** Returns rows, not instances. */
class OwnerByNamePipe implements PipeTransform {
  transform(name: unknown): unknown {
    return typeof name === 'string' ? { name: 5, hash: 'secret' } : name;
  }
}

class TrimPipe implements PipeTransform {
  transform(body: unknown): unknown {
    const owner = body as OwnerDto | undefined;
    return typeof owner?.name === 'string'
      ? { ...(body as object), name: owner.name.trim() }
      : body;
  }
}

function describeOwner(owner: OwnerDto): object {
  return { ...(owner as object), isOwner: owner instanceof OwnerDto };
}

@Controller('validation')
class ValidationController {
  @Post('buffer')
  @HttpCode(200)
  readBuffer(@Body() body: Buffer) {
    return { isBuffer: Buffer.isBuffer(body), text: body.toString() };
  }

  @Post('map')
  @HttpCode(200)
  readMap(@Body() body: Map<string, string>) {
    return body;
  }

  @Post('unvalidated')
  @HttpCode(200)
  readUnvalidated(@Body() body: Unvalidated) {
    return body;
  }

  @Post('request')
  @HttpCode(200)
  readRequest(@Req() req: { body: unknown }) {
    return req.body;
  }

  @Post('list')
  @HttpCode(200)
  readList(@Body(new ParseArrayPipe({ items: OwnerDto })) body: OwnerDto[]) {
    return body.map(describeOwner);
  }

  @Post('limit')
  @HttpCode(200)
  readLimit(@Query('limit', ParseIntPipe) limit: number, @Query('text') text: number) {
    return { limit, text: typeof text };
  }

  @Post('users/:id')
  @HttpCode(200)
  readUser(@Param('id', UserByIdPipe) user: User | null) {
    return { user };
  }

  @Post('found-owner')
  @HttpCode(200)
  readFoundOwner(@Body('owner', OwnerByNamePipe) owner: OwnerDto) {
    return { owner };
  }

  @Post('key')
  @HttpCode(200)
  readKey(@Body('name') name: string, @Body('owner') owner?: OwnerDto) {
    return { name, ...(owner && { owner: describeOwner(owner) }) };
  }

  @Post('trim')
  @HttpCode(200)
  readTrimmed(@Body(TrimPipe) owner: OwnerDto) {
    return describeOwner(owner);
  }

  @Post('strict')
  @HttpCode(200)
  @UsePipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }))
  readStrict(@Body() body: OwnerDto) {
    return describeOwner(body);
  }

  @Post('create')
  @HttpCode(200)
  readCreated(@Body(new ValidationPipe({ groups: ['create'] })) body: GroupDto) {
    return body;
  }

  @Post('update')
  @HttpCode(200)
  readUpdated(@Body(new ValidationPipe({ groups: ['update'] })) body: GroupDto) {
    return body;
  }

  @Post('new-name')
  @HttpCode(200)
  readNewName(@Body() body: NewNameDto) {
    return body;
  }

  @Post('own-new-name')
  @HttpCode(200)
  @UsePipes(ValidationPipe)
  readOwnNewName(@Body() body: NewNameDto) {
    return body;
  }

  @Post('shelter')
  @HttpCode(200)
  readShelter(@Body() { favorite, animals }: ShelterDto) {
    return { favorite, classes: animals?.map((animal) => animal.constructor.name) };
  }

  @Post('attachment')
  @HttpCode(200)
  readAttachment(@Body() { bytes, label }: AttachmentDto) {
    return { text: bytes?.toString(), label };
  }

  @Post('everything')
  @HttpCode(200)
  async readEverything(@Body() body: EverythingDto) {
    const { byName, tags, later, ...rest } = body;
    return {
      ...rest,
      ...(byName && { byName: Object.fromEntries(byName) }),
      ...(tags && { tags: [...tags] }),
      ...(later && { later: await later }),
    };
  }

  @Post('secret')
  @HttpCode(200)
  readSecret(@Body() body: SecretDto) {
    return body;
  }

  @Post('changed')
  @HttpCode(200)
  readChanged(@Body() body: ChangedDto) {
    return body;
  }
}

@Module({ controllers: [ValidationController], providers: [NameService, IsFree] })
class ValidationModule {}

const createError = (error: object, loc: (string | number)[], input: unknown) => ({
  detail: [{ ...error, loc, input }],
});

describe('validation', () => {
  let app: NestExpressApplication;
  let log: TestApp['log'];

  beforeAll(async () => {
    ({ app, log } = await createTestApp({
      features: [ValidationModule],
      prepare: (created) => {
        created.use('/validation/buffer', express.raw({ type: () => true }));
      },
    }));
  });

  beforeEach(() => {
    log.length = 0;
  });

  const post = async (path: string, value?: unknown): Promise<[status: number, body: unknown]> => {
    const response = await request(app.getHttpServer())
      .post(`/validation/${path}`)
      .send(value as object);
    return [response.status, response.body];
  };

  describe('of a parameter whose class has no rules', () => {
    it('passes a Buffer', async () => {
      expect(await post('buffer', 'text')).toEqual([200, { isBuffer: true, text: 'text' }]);
    });

    it.each(['map', 'unvalidated', 'request'])('passes the JSON value of /%s', async (path) => {
      const value = { full_name: '5', more: [1, { a: null }] };
      expect(await post(path, value)).toEqual([200, value]);
    });
  });

  describe('of a parameter with pipes of its own', () => {
    it('passes a list to ParseArrayPipe', async () => {
      expect(await post('list', [{ name: 'a' }, { name: 'b', age: 3 }])).toEqual([
        200,
        [
          { name: 'a', isOwner: true },
          { name: 'b', age: 3, isOwner: true },
        ],
      ]);
      expect(await post('list', [{ name: 5 }])).toEqual([400, expect.anything()]);
    });

    it('passes text to ParseIntPipe, and to a parameter without a pipe', async () => {
      expect(await post('limit?limit=5&text=7')).toEqual([200, { limit: 5, text: 'string' }]);
      expect(await post('limit?limit=x')).toEqual([400, expect.anything()]);
    });

    it('passes the id to a pipe that returns an instance of a class with rules', async () => {
      expect(await post('users/7')).toEqual([200, { user: { id: 7, email: 'not checked' } }]);
      expect(await post('users/0')).toEqual([200, { user: null }]);
    });

    it('does not validate an object that a pipe has found by an id', async () => {
      expect(await post('found-owner', { owner: 'a' })).toEqual([
        200,
        { owner: { name: 5, hash: 'secret' } },
      ]);
    });

    it('validates an object that a pipe has changed', async () => {
      expect(await post('trim', { name: ' a ', more: 1 })).toEqual([
        200,
        { name: 'a', isOwner: true },
      ]);
      expect(await post('trim', { name: 5 })).toEqual([
        422,
        createError(STRING_TYPE, ['body', 'name'], 5),
      ]);
      expect(await post('trim')).toEqual([422, createError(MISSING, ['body'], null)]);
      expect(await post('found-owner', { owner: { name: 5 } })).toEqual([
        422,
        createError(STRING_TYPE, ['body', 'owner', 'name'], 5),
      ]);
    });

    it('leaves the value to a ValidationPipe', async () => {
      expect(await post('strict', { name: 'a' })).toEqual([200, { name: 'a', isOwner: true }]);
      expect(await post('strict', { name: 'a', more: 1 })).toEqual([400, expect.anything()]);
      expect(await post('create', {})).toEqual([400, expect.anything()]);
      expect(await post('update', {})).toEqual([200, {}]);
    });
  });

  describe('of a key of the body', () => {
    it('validates the value, located in the body', async () => {
      expect(await post('key', { name: 5, owner: { name: 'a', more: 1 } })).toEqual([
        200,
        { name: 5, owner: { name: 'a', isOwner: true } },
      ]);
      expect(await post('key', { owner: {} })).toEqual([
        422,
        createError(MISSING, ['body', 'owner', 'name'], {}),
      ]);
      expect(await post('key', { owner: null })).toEqual([
        422,
        createError(MODEL_TYPE, ['body', 'owner'], null),
      ]);
    });

    it.each([[{ name: 'a' }], [undefined]])('passes an absent value of %j', async (value) => {
      expect(await post('key', value)).toEqual([200, value ?? {}]);
    });
  });

  describe('with constraints', () => {
    const taken = createError(
      { type: 'value_error', msg: 'name Rex is taken' },
      ['body', 'name'],
      'Rex',
    );

    it('injects the dependencies of a provider', async () => {
      expect(await post('new-name', { name: 'Bello' })).toEqual([200, { name: 'Bello' }]);
      expect(await post('new-name', { name: 'Rex' })).toEqual([422, taken]);
    });

    it('does not evaluate them for a value of another type', async () => {
      expect(await post('new-name', { name: 5 })).toEqual([
        422,
        createError(STRING_TYPE, ['body', 'name'], 5),
      ]);
    });

    it('injects the dependencies when a ValidationPipe of a handler validates', async () => {
      expect(await post('own-new-name', { name: 'Bello' })).toEqual([200, expect.anything()]);
      expect(await post('own-new-name', { name: 'Rex' })).toEqual([400, expect.anything()]);
    });

    it('uses the providers of the same application', async () => {
      const other = await createTestApp({ features: [ValidationModule] });
      other.app.get(NameService, { strict: false }).taken.clear();
      const inOther = await request(other.app.getHttpServer())
        .post('/validation/new-name')
        .send({ name: 'Rex' });
      expect(inOther.status).toBe(200);
      expect(await post('new-name', { name: 'Rex' })).toEqual([422, taken]);
    });
  });

  describe('in which code of the feature throws a TypeError', () => {
    it.each([
      ['@Transform', { password: 'hunter2', conditional: 'a', transformed: 5 }],
      ['a constraint', { password: 'hunter2', conditional: 'a', constrained: 5 }],
      ['@ValidateIf', { password: 'hunter2', conditional: 5 }],
    ])('returns 500, and logs the error of %s', async (_, value) => {
      expect(await post('secret', value)).toEqual([500, { detail: 'Internal Server Error' }]);
      const { err } = log.find(({ context }) => context === 'ErrorFilter') as unknown as {
        err: Error;
      };
      expect(err.message).toMatch(/trim is not a function$/);
      expect(JSON.stringify(log)).not.toContain('hunter2');
    });
  });

  describe('that class-transformer cannot convert', () => {
    it.each([[5], [{}], [true]])('returns 422 for a Buffer of %j', async (bytes) => {
      expect(await post('attachment', { bytes })).toEqual([
        422,
        createError({ type: 'value_error', msg: 'Input could not be validated' }, ['body'], {
          bytes,
        }),
      ]);
    });

    it('returns what it can convert', async () => {
      expect(await post('attachment', { bytes: 'a', label: { text: ' b ' } })).toEqual([
        200,
        { text: 'a', label: { text: 'b' } },
      ]);
    });

    it('returns 500 if @Transform of a class without rules throws a TypeError', async () => {
      expect(await post('attachment', { label: { text: 5 } })).toEqual([
        500,
        { detail: 'Internal Server Error' },
      ]);
    });
  });

  describe('of a value that is changed while it is converted', () => {
    it('keeps the discriminator in the input of errors', async () => {
      const favorite = { kind: 'dog' };
      expect(await post('shelter', { favorite })).toEqual([
        422,
        {
          detail: [
            { ...MISSING, loc: ['body', 'favorite', 'name'], input: favorite },
            { ...MISSING, loc: ['body', 'favorite', 'barks'], input: favorite },
          ],
        },
      ]);
      const animal = { kind: 'cat', name: 'a' };
      expect(await post('shelter', { animals: [animal] })).toEqual([
        422,
        createError(MISSING, ['body', 'animals', 0, 'lives'], animal),
      ]);
    });

    it('creates the class that the discriminator selects', async () => {
      expect(
        await post('shelter', {
          favorite: { kind: 'dog', name: 'a', barks: 1, lives: 2 },
        }),
      ).toEqual([200, { favorite: { kind: 'dog', name: 'a', barks: 1 } }]);
    });

    it('rejects a list with an element that has no discriminator', async () => {
      const value = { animals: [null] };
      expect(await post('shelter', value)).toEqual([
        422,
        createError({ type: 'value_error', msg: 'Input could not be validated' }, ['body'], value),
      ]);
    });

    it('returns what the client sent when @Transform changes the object', async () => {
      const value = { id: 'x', name: 'a' };
      expect(await post('changed', value)).toEqual([
        422,
        createError(INT_TYPE, ['body', 'id'], 'x'),
      ]);
      const nested = { id: 1, owner: { more: 1 } };
      expect(await post('changed', nested)).toEqual([
        422,
        createError(MISSING, ['body', 'owner', 'name'], { more: 1 }),
      ]);
    });
  });

  describe('with the decorators of a DTO', () => {
    it.each<[string, object, object]>([
      ['mapped types', { name: 'a', age: 3 }, {}],
      ['an optional field of a mapped type', { name: 'a', age: null }, {}],
      ['@Allow', { name: 'a', note: { b: [1] } }, {}],
      ['registerDecorator', { name: 'a', nickname: 'abc', reason: 'r' }, {}],
      ['@ValidateNested', { name: 'a', owner: { name: 'b' } }, {}],
      ['a list of lists', { name: 'a', grid: [[{ name: 'b' }], []] }, {}],
      ['a Map', { name: 'a', byName: { b: { name: 'b' } } }, {}],
      ['a Set', { name: 'a', tags: ['b', 'c'] }, {}],
      ['@ArrayUnique', { name: 'a', owners: [{ name: 'b' }, { name: 'c' }] }, {}],
      ['@ValidatePromise', { name: 'a', later: 'bc' }, {}],
      ['@Expose', { name: 'a', full_name: 'b' }, { full_name: undefined, fullName: 'b' }],
    ])('accepts a valid value with %s', async (_, value, changes) => {
      expect(await post('everything', value)).toEqual([
        200,
        JSON.parse(JSON.stringify({ ...value, ...changes })) as object,
      ]);
    });

    it.each<[string, object, object, (string | number)[], unknown]>([
      ['mapped types', { age: 3 }, MISSING, ['name'], { age: 3 }],
      ['an optional field of a mapped type', { name: 'a', age: 'x' }, INT_TYPE, ['age'], 'x'],
      [
        'registerDecorator',
        { name: 'abc', nickname: 'a', reason: 'r' },
        { type: 'value_error', msg: 'nickname must be longer than name' },
        ['nickname'],
        'a',
      ],
      ['@ValidateIf', { name: 'a', nickname: 'ab', reason: 5 }, STRING_TYPE, ['reason'], 5],
      ['@ValidateNested', { name: 'a', owner: [] }, MODEL_TYPE, ['owner'], []],
      ['a nested field', { name: 'a', owner: { name: 5 } }, STRING_TYPE, ['owner', 'name'], 5],
      [
        'a list of lists',
        { name: 'a', grid: [[{ name: 'b' }, {}]] },
        MISSING,
        ['grid', 0, 1, 'name'],
        {},
      ],
      ['an object in place of a list of lists', { name: 'a', grid: {} }, LIST_TYPE, ['grid'], {}],
      ['a Map', { name: 'a', byName: { b: { name: 5 } } }, STRING_TYPE, ['byName', 'b', 'name'], 5],
      [
        '@ArrayUnique',
        { name: 'a', owners: [{ name: 'b' }, { name: 'B' }] },
        { type: 'value_error', msg: "All owners's elements must be unique" },
        ['owners'],
        [{ name: 'b' }, { name: 'B' }],
      ],
      [
        'elements that @ArrayUnique cannot compare',
        { name: 'a', owners: [{ name: 5 }] },
        STRING_TYPE,
        ['owners', 0, 'name'],
        5,
      ],
      [
        '@ValidatePromise',
        { name: 'a', later: 'b' },
        {
          type: 'string_too_short',
          msg: 'String should have at least 2 characters',
          ctx: { min_length: 2 },
        },
        ['later'],
        'b',
      ],
      ['@Expose', { name: 'a', full_name: 5 }, STRING_TYPE, ['full_name'], 5],
    ])('rejects an invalid value with %s', async (_, value, error, loc, input) => {
      expect(await post('everything', value)).toEqual([
        422,
        createError(error, ['body', ...loc], input),
      ]);
    });
  });

  describe('of a DTO whose decorators are invalid', () => {
    /** Starts an application whose only handler validates its body with the class. */
    async function start(dtoClass: Type, providers: Provider[] = []): Promise<void> {
      @Controller('invalid')
      class InvalidController {
        @Post()
        read(body: unknown) {
          return body;
        }
      }
      Body()(InvalidController.prototype, 'read', 0);
      Reflect.defineMetadata('design:paramtypes', [dtoClass], InvalidController.prototype, 'read');
      @Module({ controllers: [InvalidController], providers })
      class InvalidModule {}
      await createTestApp({ features: [InvalidModule], listen: false });
    }

    class InnerDto {
      @Validate(IsFree)
      name!: string;
    }

    class UntypedDto {
      @ValidateNested()
      inner!: InnerDto;
    }

    class OuterDto {
      @ValidateNested({ each: true })
      @Nested(() => InnerDto)
      inner!: InnerDto[];
    }

    class DeepDto {
      @ValidateNested()
      @Nested(() => Animal, {
        discriminator: { property: 'a', subTypes: [{ name: 'b', value: UntypedDto }] },
      })
      deep!: unknown;
    }

    @Injectable({ scope: Scope.REQUEST })
    class RequestScopedNameService extends NameService {}

    const untyped =
      'UntypedDto.inner has @ValidateNested() but no @Type(). Add @Type(() => InnerDto).';
    const noProvider =
      'IsFree validates a DTO and has dependencies. Add it to the providers of a module.';
    const noSingleton =
      'IsFree validates a DTO and is request-scoped or transient, or depends on such a provider. Make it a singleton.';
    const requestScoped = { provide: NameService, useClass: RequestScopedNameService };

    it.each<[string, Type, string, Provider[]]>([
      ['@ValidateNested() without @Type()', UntypedDto, untyped, []],
      ['@ValidateNested() without @Type() in a nested DTO', DeepDto, untyped, []],
      ['a constraint with dependencies that is no provider', InnerDto, noProvider, []],
      ['such a constraint in a nested DTO', OuterDto, noProvider, []],
      ['a request-scoped constraint', InnerDto, noSingleton, [IsFree, requestScoped]],
    ])('aborts start-up for %s', async (_, dtoClass, message, providers) => {
      await expect(start(dtoClass, providers)).rejects.toThrow(message);
    });

    it('starts if the providers of the constraint are singletons', async () => {
      await expect(start(OuterDto, [IsFree, NameService])).resolves.toBeUndefined();
    });
  });
});
