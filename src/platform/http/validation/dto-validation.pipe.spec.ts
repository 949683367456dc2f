import { HttpException, type Type } from '@nestjs/common';
import { Exclude, Transform, Type as Nested } from 'class-transformer';
import {
  Allow,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsEmail,
  IsEnum,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
  Validate,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  ValidatorConstraint,
  type ValidatorConstraintInterface,
} from 'class-validator';
import type { ConstraintContainer } from './constraint-container.js';
import { DtoValidationPipe } from './dto-validation.pipe.js';

enum Kind {
  Dog = 'dog',
  Cat = 'cat',
}

enum Size {
  Small = 1,
  Large,
}

class Home {
  @IsOptional()
  @ValidateNested()
  @Nested(() => Owner)
  keeper?: unknown;
}

class Owner {
  @IsString()
  name!: string;

  @IsOptional()
  @ValidateNested()
  @Nested(() => Home)
  home?: Home;

  @IsOptional()
  @IsInt()
  age?: number;
}

/** An asynchronous rule, such as a query of a database. */
@ValidatorConstraint({ name: 'isFree', async: true })
class IsFree implements ValidatorConstraintInterface {
  validate(value: unknown): Promise<boolean> {
    return Promise.resolve(value !== 'taken');
  }

  defaultMessage(): string {
    return 'the name is taken';
  }
}

const pipe = new DtoValidationPipe({
  get: (constraintClass) => new constraintClass(),
} as ConstraintContainer);

/** Returns the value that the pipe returns, or the body of its 422 response. */
async function transform(dto: Type, value: unknown, type: 'body' | 'query' | 'param' = 'body') {
  try {
    return await pipe.transform(value, { type, metatype: dto });
  } catch (error) {
    if (!(error instanceof HttpException)) throw error;
    expect(error.getStatus()).toBe(422);
    return error.getResponse();
  }
}

/** Creates a DTO class with one field, `x`, and its decorators in the order of the source. */
function createDto(...rules: PropertyDecorator[]): Type {
  class Dto {
    x: unknown;
  }
  for (const rule of rules.toReversed()) rule(Dto.prototype, 'x');
  return Dto;
}

describe('DtoValidationPipe', () => {
  const MISSING = { type: 'missing', msg: 'Field required' };
  const INT_TYPE = { type: 'int_type', msg: 'Input should be a valid integer' };
  const LIST_TYPE = { type: 'list_type', msg: 'Input should be a valid list' };
  const STRING_TYPE = { type: 'string_type', msg: 'Input should be a valid string' };
  const MODEL_TYPE = {
    type: 'model_attributes_type',
    msg: 'Input should be a valid dictionary or object to extract fields from',
  };

  describe('for a field', () => {
    it.each<[string, PropertyDecorator[], unknown, Record<string, unknown>]>([
      ['@IsString', [IsString()], 5, STRING_TYPE],
      ['@IsString for null', [IsString()], null, STRING_TYPE],
      ['@IsInt', [IsInt()], 1.5, INT_TYPE],
      [
        '@IsNumber',
        [IsNumber()],
        'a',
        { type: 'float_type', msg: 'Input should be a valid number' },
      ],
      [
        '@IsBoolean',
        [IsBoolean()],
        1,
        { type: 'bool_type', msg: 'Input should be a valid boolean' },
      ],
      ['@IsArray', [IsArray()], {}, LIST_TYPE],
      [
        '@MinLength(3)',
        [MinLength(3)],
        'ab',
        {
          type: 'string_too_short',
          msg: 'String should have at least 3 characters',
          ctx: { min_length: 3 },
        },
      ],
      [
        '@MinLength(1)',
        [MinLength(1)],
        '',
        {
          type: 'string_too_short',
          msg: 'String should have at least 1 character',
          ctx: { min_length: 1 },
        },
      ],
      [
        '@MaxLength(2)',
        [MaxLength(2)],
        'abc',
        {
          type: 'string_too_long',
          msg: 'String should have at most 2 characters',
          ctx: { max_length: 2 },
        },
      ],
      [
        '@MaxLength(1)',
        [MaxLength(1)],
        'ab',
        {
          type: 'string_too_long',
          msg: 'String should have at most 1 character',
          ctx: { max_length: 1 },
        },
      ],
      [
        '@Min(1)',
        [Min(1)],
        0,
        {
          type: 'greater_than_equal',
          msg: 'Input should be greater than or equal to 1',
          ctx: { ge: 1 },
        },
      ],
      [
        '@Max(1.5)',
        [Max(1.5)],
        2,
        {
          type: 'less_than_equal',
          msg: 'Input should be less than or equal to 1.5',
          ctx: { le: 1.5 },
        },
      ],
      [
        '@IsIn with three values',
        [IsIn(['a', 'b', 'c'])],
        'd',
        {
          type: 'literal_error',
          msg: "Input should be 'a', 'b' or 'c'",
          ctx: { expected: "'a', 'b' or 'c'" },
        },
      ],
      [
        '@IsIn with one value',
        [IsIn(['a'])],
        'd',
        { type: 'literal_error', msg: "Input should be 'a'", ctx: { expected: "'a'" } },
      ],
      [
        '@IsIn with quotes',
        [IsIn(['a', "it's", `'"`])],
        null,
        {
          type: 'literal_error',
          msg: `Input should be 'a', "it's" or '\\'"'`,
          ctx: { expected: `'a', "it's" or '\\'"'` },
        },
      ],
      [
        '@IsEnum with strings',
        [IsEnum(Kind)],
        'cow',
        {
          type: 'enum',
          msg: "Input should be 'dog' or 'cat'",
          ctx: { expected: "'dog' or 'cat'" },
        },
      ],
      [
        '@IsEnum with numbers',
        [IsEnum(Size)],
        5,
        { type: 'enum', msg: 'Input should be 1 or 2', ctx: { expected: '1 or 2' } },
      ],
      [
        '@Matches',
        [Matches(/^a+$/)],
        'b',
        {
          type: 'string_pattern_mismatch',
          msg: "String should match pattern '^a+$'",
          ctx: { pattern: '^a+$' },
        },
      ],
      ['another rule', [IsEmail()], 'b', { type: 'value_error', msg: 'x must be an email' }],
      [
        'another rule, on a list',
        [ArrayMinSize(1)],
        [],
        { type: 'value_error', msg: 'x must contain at least 1 elements' },
      ],
      ['a type rule before a length rule', [MinLength(3), IsString()], 5, STRING_TYPE],
      ['a type rule before another rule', [IsEmail(), IsString()], 5, STRING_TYPE],
      [
        'a length rule before a pattern rule',
        [Matches(/^a+$/), MinLength(3)],
        'b',
        {
          type: 'string_too_short',
          msg: 'String should have at least 3 characters',
          ctx: { min_length: 3 },
        },
      ],
      [
        'the first of several other rules',
        [IsEmail(), ArrayMinSize(1)],
        'b',
        { type: 'value_error', msg: 'x must be an email' },
      ],
      [
        'the pattern that does not match',
        [Matches(/[A-Z]/), Matches(/[0-9]/)],
        'a1',
        {
          type: 'string_pattern_mismatch',
          msg: "String should match pattern '[A-Z]'",
          ctx: { pattern: '[A-Z]' },
        },
      ],
      [
        'the message option of a rule',
        [IsEmail({}, { message: 'no address' })],
        'b',
        { type: 'value_error', msg: 'no address' },
      ],
      [
        'an asynchronous rule',
        [Validate(IsFree)],
        'taken',
        { type: 'value_error', msg: 'the name is taken' },
      ],
    ])('returns the error of %s', async (_, rules, x, { type, msg, ...ctx }) => {
      expect(await transform(createDto(...rules), { x })).toEqual({
        detail: [{ type, loc: ['body', 'x'], msg, input: x, ...ctx }],
      });
    });

    it.each<[object]>([[{}], [{ X: 1 }], [{ y: null, constructor: 1 }]])(
      'returns missing when the body is %j',
      async (body) => {
        expect(await transform(createDto(IsInt(), Min(1)), body)).toEqual({
          detail: [{ ...MISSING, loc: ['body', 'x'], input: body }],
        });
      },
    );

    it('returns the keys in the order of FastAPI', async () => {
      const response = await transform(createDto(Min(1)), { x: 0 });
      expect(JSON.stringify(response)).toBe(
        '{"detail":[{"type":"greater_than_equal","loc":["body","x"],"msg":"Input should be greater than or equal to 1","input":0,"ctx":{"ge":1}}]}',
      );
    });
  });

  describe('for a list or a nested object', () => {
    const owner = createDto(
      IsDefined(),
      ValidateNested(),
      Nested(() => Owner),
    );
    const owners = createDto(
      IsArray(),
      ValidateNested({ each: true }),
      Nested(() => Owner),
    );
    const tags = createDto(
      IsArray(),
      IsString({ each: true }),
      MinLength(2, { each: true }),
      Validate(IsFree, { each: true }),
    );

    it.each<[string, Type, unknown, Record<string, unknown>[]]>([
      [
        'a field of an object',
        owner,
        { name: 5 },
        [{ ...STRING_TYPE, loc: ['body', 'x', 'name'], input: 5 }],
      ],
      [
        'an absent field of an object',
        owner,
        { age: 3 },
        [{ ...MISSING, loc: ['body', 'x', 'name'], input: { age: 3 } }],
      ],
      [
        'a string instead of an object',
        owner,
        'a',
        [{ ...MODEL_TYPE, loc: ['body', 'x'], input: 'a' }],
      ],
      [
        'null instead of an object',
        owner,
        null,
        [{ ...MODEL_TYPE, loc: ['body', 'x'], input: null }],
      ],
      [
        'items of a list of objects',
        owners,
        [1, { name: 'a' }, { name: 1, age: 'b' }, null],
        [
          { ...MODEL_TYPE, loc: ['body', 'x', 0], input: 1 },
          { ...STRING_TYPE, loc: ['body', 'x', 2, 'name'], input: 1 },
          { ...INT_TYPE, loc: ['body', 'x', 2, 'age'], input: 'b' },
          { ...MODEL_TYPE, loc: ['body', 'x', 3], input: null },
        ],
      ],
      [
        'an object instead of a list of objects',
        owners,
        { name: 5 },
        [{ ...LIST_TYPE, loc: ['body', 'x'], input: { name: 5 } }],
      ],
      [
        'items of a list of strings, each with its first error',
        tags,
        ['ab', 1, 'c', null, 'taken', 'ok'],
        [
          { ...STRING_TYPE, loc: ['body', 'x', 1], input: 1 },
          {
            type: 'string_too_short',
            msg: 'String should have at least 2 characters',
            loc: ['body', 'x', 2],
            input: 'c',
            ctx: { min_length: 2 },
          },
          { ...STRING_TYPE, loc: ['body', 'x', 3], input: null },
          { type: 'value_error', msg: 'the name is taken', loc: ['body', 'x', 4], input: 'taken' },
        ],
      ],
      [
        'an empty list instead of an object',
        owner,
        [],
        [{ ...MODEL_TYPE, loc: ['body', 'x'], input: [] }],
      ],
      [
        'a list of valid objects instead of an object',
        owner,
        [{ name: 'a' }],
        [{ ...MODEL_TYPE, loc: ['body', 'x'], input: [{ name: 'a' }] }],
      ],
      [
        'an object instead of a list that only has rules for its items',
        createDto(
          ValidateNested({ each: true }),
          Nested(() => Owner),
        ),
        { name: 'a' },
        [{ ...LIST_TYPE, loc: ['body', 'x'], input: { name: 'a' } }],
      ],
      [
        'a list instead of a deeply nested object',
        owners,
        [
          { name: 'a', home: { keeper: { name: 'b' } } },
          { name: 'a', home: { keeper: [] } },
        ],
        [{ ...MODEL_TYPE, loc: ['body', 'x', 1, 'home', 'keeper'], input: [] }],
      ],
      [
        'items of a list that @Transform changed',
        createDto(
          Transform(({ value }: { value: string[] }) => value.map((item) => item.trim())),
          MinLength(1, { each: true }),
        ),
        [' ', 'a'],
        [
          {
            type: 'string_too_short',
            msg: 'String should have at least 1 character',
            loc: ['body', 'x', 0],
            input: ' ',
            ctx: { min_length: 1 },
          },
        ],
      ],
      [
        'items of a list that @Transform created from a string',
        createDto(
          Transform(({ value }: { value: string }) => value.split(',')),
          IsIn(['a', 'b'], { each: true }),
        ),
        'a,c',
        [
          {
            type: 'literal_error',
            msg: "Input should be 'a' or 'b'",
            loc: ['body', 'x', 1],
            input: 'c',
            ctx: { expected: "'a' or 'b'" },
          },
        ],
      ],
      [
        'an absent field of an object that @Transform created from null',
        createDto(
          Transform(() => new Owner()),
          ValidateNested(),
        ),
        null,
        [{ ...MISSING, loc: ['body', 'x', 'name'], input: null }],
      ],
      [
        'a string instead of a list of strings',
        tags,
        'abc',
        [{ ...LIST_TYPE, loc: ['body', 'x'], input: 'abc' }],
      ],
      [
        'a number instead of a list that only has rules for its items',
        createDto(IsString({ each: true })),
        5,
        [{ ...LIST_TYPE, loc: ['body', 'x'], input: 5 }],
      ],
    ])('returns the location of %s', async (_, dto, x, detail) => {
      expect(await transform(dto, { x })).toEqual({ detail });
    });
  });

  describe('for a whole value', () => {
    class Pet extends Owner {
      @IsIn(['dog', 'cat'])
      kind!: string;

      @IsBoolean()
      vaccinated!: boolean;
    }

    it('returns an entry for each field, in order, fields of the base class first', async () => {
      const body = { vaccinated: 'a', kind: 'b', age: 'c', more: 1 };
      expect(await transform(Pet, body)).toEqual({
        detail: [
          { ...MISSING, loc: ['body', 'name'], input: body },
          { ...INT_TYPE, loc: ['body', 'age'], input: 'c' },
          {
            type: 'literal_error',
            loc: ['body', 'kind'],
            msg: "Input should be 'dog' or 'cat'",
            input: 'b',
            ctx: { expected: "'dog' or 'cat'" },
          },
          {
            type: 'bool_type',
            loc: ['body', 'vaccinated'],
            msg: 'Input should be a valid boolean',
            input: 'a',
          },
        ],
      });
    });

    it('returns missing when there is no body', async () => {
      expect(await transform(Pet, undefined)).toEqual({
        detail: [{ ...MISSING, loc: ['body'], input: null }],
      });
    });

    it.each([['a'], [5], [false], [null], [[]], [[{ name: 'a' }]]])(
      'returns model_attributes_type when the body is %j',
      async (body) => {
        expect(await transform(Pet, body)).toEqual({
          detail: [{ ...MODEL_TYPE, loc: ['body'], input: body }],
        });
      },
    );

    it.each([
      ['query', 'query'],
      ['param', 'path'],
    ] as const)('validates the DTO of @%s, located in %s', async (type, location) => {
      expect(await transform(createDto(IsString()), {}, type)).toEqual({
        detail: [{ ...MISSING, loc: [location, 'x'], input: {} }],
      });
    });
  });

  it('reports a violation if a rule of class-validator throws', async () => {
    expect(await transform(createDto(IsEmail()), { x: '\ud800' })).toEqual({
      detail: [
        { type: 'value_error', loc: ['body', 'x'], msg: 'x must be an email', input: '\ud800' },
      ],
    });
  });

  it('reports an object that cannot be converted to a number', async () => {
    const dto = createDto(
      Nested(() => Number),
      IsInt(),
    );
    const input = { valueOf: 1, toString: 1 };
    expect(await transform(dto, { x: input })).toEqual({
      detail: [
        { type: 'int_type', loc: ['body', 'x'], msg: 'Input should be a valid integer', input },
      ],
    });
  });

  it('rethrows the error of a rule that failed', async () => {
    const broken = createDto(
      ValidateBy({
        name: 'broken',
        validator: {
          validate: () => {
            throw new Error('no database');
          },
        },
      }),
    );
    await expect(transform(broken, { x: 1 })).rejects.toThrow('no database');
  });

  it('does not validate nested objects that @ValidateIf excludes', async () => {
    const optional = createDto(
      ValidateIf(() => false),
      ValidateNested(),
      Nested(() => Owner),
    );
    expect(await transform(optional, { x: [] })).toEqual({ x: [] });
  });

  describe('with valid input', () => {
    it('returns an instance of the DTO without unknown keys', async () => {
      const body = { name: 'a', age: 3, admin: true, toString: 1 };
      const dto = await transform(Owner, body);
      expect(dto).toBeInstanceOf(Owner);
      expect(dto).toEqual({ name: 'a', age: 3 });
    });

    it('does not apply a __proto__ key, and returns it in the input of errors', async () => {
      const text =
        '{"name":{"constructor":5,"__proto__":{"a":1},"prototype":[]},"__proto__":{"b":1}}';
      const response = await transform(Owner, JSON.parse(text));
      expect(JSON.stringify(response)).toBe(
        '{"detail":[{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":{"constructor":5,"__proto__":{"a":1},"prototype":[]}}]}',
      );
      const dto = await transform(Owner, JSON.parse('{"name":"a","__proto__":{"admin":true}}'));
      expect(dto).toEqual({ name: 'a' });
      expect((dto as { admin?: unknown }).admin).toBeUndefined();
    });

    it('keeps all keys of free-form JSON except __proto__', async () => {
      class Settings {
        @IsOptional()
        @IsObject()
        meta?: object;

        @IsOptional()
        @IsArray()
        list?: unknown[];

        @IsOptional()
        @ValidateNested({ each: true })
        @Nested(() => Settings)
        inner?: Settings[];

        @IsOptional()
        @Transform(({ value }: { value: object }) => ({ ...value, isChanged: true }))
        changed?: object;
      }
      const text =
        '{"meta":{"constructor":"a","toString":1,"valueOf":null,"hasOwnProperty":[{"valueOf":2}]},"list":[{"constructor":{}}],"inner":[{"meta":{"valueOf":1}},{}]}';
      const value = JSON.parse(text) as Settings;
      const dto = (await transform(Settings, value)) as Settings;
      expect(JSON.stringify(dto)).toBe(text);
      expect(dto.inner?.[1]).toBeInstanceOf(Settings);
      expect(dto.meta).not.toBe(value.meta);
      expect(await transform(Settings, { changed: { a: 1, valueOf: 1 } })).toEqual({
        changed: { a: 1, isChanged: true },
      });
    });

    it('never sets the prototype of free-form JSON', async () => {
      const dto = createDto(IsObject());
      const text = '{"x":{"a":[{"__proto__":{"b":1}}],"valueOf":1,"__proto__":{"c":1}}}';
      const { x } = (await transform(dto, JSON.parse(text))) as { x: object };
      expect(JSON.stringify(x)).toBe('{"a":[{}],"valueOf":1}');
      expect(Object.getPrototypeOf(x)).toBe(Object.prototype);
    });

    it('does not assign fields that class-transformer does not assign', async () => {
      class Special {
        @IsOptional()
        @Allow()
        read: unknown = () => 'a';

        @IsOptional()
        @Exclude()
        secret?: object;
      }
      const dto = await transform(Special, { read: { valueOf: 1 }, secret: { valueOf: 1 } });
      expect(Object.keys(dto as Special)).toEqual(['read']);
      expect((dto as Special).read).toBeInstanceOf(Function);
    });

    it.each([String, Number, Boolean, Array, Object, undefined])(
      'returns a value of type %p unchanged',
      async (metatype) => {
        expect(await pipe.transform('a', { type: 'body', metatype: metatype as Type })).toBe('a');
      },
    );

    it('returns the value of a custom decorator unchanged', async () => {
      expect(await pipe.transform('a', { type: 'custom', metatype: Owner })).toBe('a');
    });
  });
});
