import { HttpException, Logger, type Type } from '@nestjs/common';
import { jest } from '@jest/globals';
import { Transform, Type as Nested } from 'class-transformer';
import {
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsEmail,
  IsEnum,
  IsIn,
  IsInt,
  IsNumber,
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

/** Asks a store that answers later, as a check against a database would. */
@ValidatorConstraint({ name: 'isFree', async: true })
class IsFree implements ValidatorConstraintInterface {
  validate(value: unknown): Promise<boolean> {
    return Promise.resolve(value !== 'taken');
  }

  defaultMessage(): string {
    return 'the name is taken';
  }
}

const pipe = new DtoValidationPipe();

/** What the pipe makes of a body, or the `detail` of its 422. */
async function validate(dto: Type, value: unknown, type: 'body' | 'query' | 'param' = 'body') {
  try {
    return await pipe.transform(value, { type, metatype: dto });
  } catch (error) {
    if (!(error instanceof HttpException)) throw error;
    expect(error.getStatus()).toBe(422);
    return error.getResponse();
  }
}

/** A DTO with one field, `x`, under the given rules, in the order in which a source has them. */
function dtoOf(...rules: PropertyDecorator[]): Type {
  class Dto {
    x: unknown;
  }
  for (const rule of rules.toReversed()) rule(Dto.prototype, 'x');
  return Dto;
}

describe('DtoValidationPipe', () => {
  const stringType = { type: 'string_type', msg: 'Input should be a valid string' };
  const modelType = {
    type: 'model_attributes_type',
    msg: 'Input should be a valid dictionary or object to extract fields from',
  };

  describe('says of one field what pydantic says', () => {
    it.each<[string, PropertyDecorator[], unknown, Record<string, unknown>]>([
      ['@IsString', [IsString()], 5, stringType],
      ['@IsString', [IsString()], null, stringType],
      ['@IsInt', [IsInt()], 1.5, { type: 'int_type', msg: 'Input should be a valid integer' }],
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
      ['@IsArray', [IsArray()], {}, { type: 'list_type', msg: 'Input should be a valid list' }],
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
        '@IsIn of three',
        [IsIn(['a', 'b', 'c'])],
        'd',
        {
          type: 'literal_error',
          msg: "Input should be 'a', 'b' or 'c'",
          ctx: { expected: "'a', 'b' or 'c'" },
        },
      ],
      [
        '@IsIn of one',
        [IsIn(['a'])],
        'd',
        { type: 'literal_error', msg: "Input should be 'a'", ctx: { expected: "'a'" } },
      ],
      [
        '@IsIn of what has quotes',
        [IsIn(['a', "it's", `'"`])],
        null,
        {
          type: 'literal_error',
          msg: `Input should be 'a', "it's" or '\\'"'`,
          ctx: { expected: `'a', "it's" or '\\'"'` },
        },
      ],
      [
        '@IsEnum of strings',
        [IsEnum(Kind)],
        'cow',
        {
          type: 'enum',
          msg: "Input should be 'dog' or 'cat'",
          ctx: { expected: "'dog' or 'cat'" },
        },
      ],
      [
        '@IsEnum of numbers',
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
      ['any other', [IsEmail()], 'b', { type: 'value_error', msg: 'x must be an email' }],
      [
        'any other, on a list',
        [ArrayMinSize(1)],
        [],
        { type: 'value_error', msg: 'x must contain at least 1 elements' },
      ],
      ['a type before a length', [MinLength(3), IsString()], 5, stringType],
      ['a type before a rule without words', [IsEmail(), IsString()], 5, stringType],
      [
        'a length before a pattern',
        [Matches(/^a+$/), MinLength(3)],
        'b',
        {
          type: 'string_too_short',
          msg: 'String should have at least 3 characters',
          ctx: { min_length: 3 },
        },
      ],
      [
        'the first of several without words',
        [IsEmail(), ArrayMinSize(1)],
        'b',
        { type: 'value_error', msg: 'x must be an email' },
      ],
      [
        'of two patterns the one that does not match',
        [Matches(/[A-Z]/), Matches(/[0-9]/)],
        'a1',
        {
          type: 'string_pattern_mismatch',
          msg: "String should match pattern '[A-Z]'",
          ctx: { pattern: '[A-Z]' },
        },
      ],
      [
        'the words of the author',
        [IsEmail({}, { message: 'no address' })],
        'b',
        { type: 'value_error', msg: 'no address' },
      ],
      [
        'a rule that answers later',
        [Validate(IsFree)],
        'taken',
        { type: 'value_error', msg: 'the name is taken' },
      ],
    ])('%s', async (_, rules, x, { type, msg, ...ctx }) => {
      expect(await validate(dtoOf(...rules), { x })).toEqual({
        detail: [{ type, loc: ['body', 'x'], msg, input: x, ...ctx }],
      });
    });

    it.each<[object]>([[{}], [{ X: 1 }], [{ y: null, constructor: 1 }]])(
      'absent from %j',
      async (body) => {
        expect(await validate(dtoOf(IsInt(), Min(1)), body)).toEqual({
          detail: [{ type: 'missing', loc: ['body', 'x'], msg: 'Field required', input: body }],
        });
      },
    );

    it('in the order of the keys that a client reads', async () => {
      const answer = await validate(dtoOf(Min(1)), { x: 0 });
      expect(JSON.stringify(answer)).toBe(
        '{"detail":[{"type":"greater_than_equal","loc":["body","x"],"msg":"Input should be greater than or equal to 1","input":0,"ctx":{"ge":1}}]}',
      );
    });
  });

  describe('says where in a list or a nested object it is wrong', () => {
    const owner = dtoOf(
      IsDefined(),
      ValidateNested(),
      Nested(() => Owner),
    );
    const owners = dtoOf(
      IsArray(),
      ValidateNested({ each: true }),
      Nested(() => Owner),
    );
    const tags = dtoOf(
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
        [{ ...stringType, loc: ['body', 'x', 'name'], input: 5 }],
      ],
      [
        'an absent field of an object',
        owner,
        { age: 3 },
        [{ type: 'missing', msg: 'Field required', loc: ['body', 'x', 'name'], input: { age: 3 } }],
      ],
      [
        'a value in place of an object',
        owner,
        'a',
        [{ ...modelType, loc: ['body', 'x'], input: 'a' }],
      ],
      [
        'null in place of an object',
        owner,
        null,
        [{ ...modelType, loc: ['body', 'x'], input: null }],
      ],
      [
        'the items of a list of objects',
        owners,
        [1, { name: 'a' }, { name: 1, age: 'b' }, null],
        [
          { ...modelType, loc: ['body', 'x', 0], input: 1 },
          { ...stringType, loc: ['body', 'x', 2, 'name'], input: 1 },
          {
            type: 'int_type',
            msg: 'Input should be a valid integer',
            loc: ['body', 'x', 2, 'age'],
            input: 'b',
          },
          { ...modelType, loc: ['body', 'x', 3], input: null },
        ],
      ],
      [
        'an object in place of a list of objects',
        owners,
        { name: 5 },
        [
          {
            type: 'list_type',
            msg: 'Input should be a valid list',
            loc: ['body', 'x'],
            input: { name: 5 },
          },
        ],
      ],
      [
        'the items of a list of values, each by its first fault',
        tags,
        ['ab', 1, 'c', null, 'taken', 'ok'],
        [
          { ...stringType, loc: ['body', 'x', 1], input: 1 },
          {
            type: 'string_too_short',
            msg: 'String should have at least 2 characters',
            loc: ['body', 'x', 2],
            input: 'c',
            ctx: { min_length: 2 },
          },
          { ...stringType, loc: ['body', 'x', 3], input: null },
          {
            type: 'value_error',
            msg: 'the name is taken',
            loc: ['body', 'x', 4],
            input: 'taken',
          },
        ],
      ],
      [
        'a list in place of an object',
        owner,
        [],
        [{ ...modelType, loc: ['body', 'x'], input: [] }],
      ],
      [
        'a list of right objects in place of an object',
        owner,
        [{ name: 'a' }],
        [{ ...modelType, loc: ['body', 'x'], input: [{ name: 'a' }] }],
      ],
      [
        'an object in place of a list, where only its items have rules',
        dtoOf(
          ValidateNested({ each: true }),
          Nested(() => Owner),
        ),
        { name: 'a' },
        [
          {
            type: 'list_type',
            msg: 'Input should be a valid list',
            loc: ['body', 'x'],
            input: { name: 'a' },
          },
        ],
      ],
      [
        'a list in place of an object, deep inside others',
        owners,
        [
          { name: 'a', home: { keeper: { name: 'b' } } },
          { name: 'a', home: { keeper: [] } },
        ],
        [{ ...modelType, loc: ['body', 'x', 1, 'home', 'keeper'], input: [] }],
      ],
      [
        'the items that failed, when they were changed before they were checked',
        dtoOf(
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
        'the items of a list that was made of a text',
        dtoOf(
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
        'an absent field of an object that was made of null',
        dtoOf(
          Transform(() => new Owner()),
          ValidateNested(),
        ),
        null,
        [{ type: 'missing', msg: 'Field required', loc: ['body', 'x', 'name'], input: null }],
      ],
      [
        'a value in place of a list of values',
        tags,
        'abc',
        [
          {
            type: 'list_type',
            msg: 'Input should be a valid list',
            loc: ['body', 'x'],
            input: 'abc',
          },
        ],
      ],
      [
        'a value in place of a list, where only its items have rules',
        dtoOf(IsString({ each: true })),
        5,
        [{ type: 'list_type', msg: 'Input should be a valid list', loc: ['body', 'x'], input: 5 }],
      ],
    ])('%s', async (_, dto, x, detail) => {
      expect(await validate(dto, { x })).toEqual({ detail });
    });
  });

  describe('answers for the whole body', () => {
    class Pet extends Owner {
      @IsIn(['dog', 'cat'])
      kind!: string;

      @IsBoolean()
      vaccinated!: boolean;
    }

    it('with one entry for each field, in their order, those of a base class first', async () => {
      const body = { vaccinated: 'a', kind: 'b', age: 'c', more: 1 };
      expect(await validate(Pet, body)).toEqual({
        detail: [
          { type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: body },
          {
            type: 'int_type',
            loc: ['body', 'age'],
            msg: 'Input should be a valid integer',
            input: 'c',
          },
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

    it.each([undefined, null])('when it is %s', async (body) => {
      expect(await validate(Pet, body)).toEqual({
        detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }],
      });
    });

    it.each([['a'], [5], [false], [[]], [[{ name: 'a' }]]])('when it is %j', async (body) => {
      expect(await validate(Pet, body)).toEqual({
        detail: [{ ...modelType, loc: ['body'], input: body }],
      });
    });

    it.each([
      ['query', 'query'],
      ['param', 'path'],
    ] as const)('and for a DTO of @%s', async (type, location) => {
      expect(await validate(dtoOf(IsString()), {}, type)).toEqual({
        detail: [{ type: 'missing', loc: [location, 'x'], msg: 'Field required', input: {} }],
      });
    });
  });

  it.each<[string, Type, unknown]>([
    ['a rule', dtoOf(IsEmail()), '\ud800'],
    [
      'a conversion',
      dtoOf(
        Nested(() => Number),
        IsInt(),
      ),
      { valueOf: 1, toString: 1 },
    ],
  ])('answers 422 to what %s cannot take', async (_, dto, x) => {
    jest.spyOn(Logger.prototype, 'warn').mockReturnValueOnce(undefined);
    expect(await validate(dto, { x })).toEqual({
      detail: [
        { type: 'value_error', loc: ['body'], msg: 'Input could not be validated', input: { x } },
      ],
    });
  });

  it('does not take the failure of a rule for a fault of the client', async () => {
    const broken = dtoOf(
      ValidateBy({
        name: 'broken',
        validator: {
          validate: () => {
            throw new Error('no database');
          },
        },
      }),
    );
    await expect(validate(broken, { x: 1 })).rejects.toThrow('no database');
  });

  it('leaves nested objects alone where a condition takes their rules away', async () => {
    const optional = dtoOf(
      ValidateIf(() => false),
      ValidateNested(),
      Nested(() => Owner),
    );
    expect(await validate(optional, { x: [] })).toEqual({ x: [] });
  });

  describe('hands on', () => {
    it('an instance of the DTO, without keys that it does not have', async () => {
      const body = { name: 'a', age: 3, admin: true, toString: 1 };
      const dto = await validate(Owner, body);
      expect(dto).toBeInstanceOf(Owner);
      expect(dto).toEqual({ name: 'a', age: 3 });
    });

    it('nothing of a prototype that a client sends, and quotes it all the same', async () => {
      const text =
        '{"name":{"constructor":5,"__proto__":{"a":1},"prototype":[]},"__proto__":{"b":1}}';
      const answer = await validate(Owner, JSON.parse(text));
      expect(JSON.stringify(answer)).toBe(
        '{"detail":[{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":{"constructor":5,"__proto__":{"a":1},"prototype":[]}}]}',
      );
      const dto = await validate(Owner, JSON.parse('{"name":"a","__proto__":{"admin":true}}'));
      expect(dto).toEqual({ name: 'a' });
      expect((dto as { admin?: unknown }).admin).toBeUndefined();
    });

    it.each([String, Number, Boolean, Array, Object, undefined])(
      'what is for no DTO, such as a %p, as it is',
      async (metatype) => {
        expect(await pipe.transform('a', { type: 'body', metatype: metatype as Type })).toBe('a');
      },
    );

    it('what another decorator than @Body, @Query or @Param gives, as it is', async () => {
      expect(await pipe.transform('a', { type: 'custom', metatype: Owner })).toBe('a');
    });
  });
});
