import 'reflect-metadata';
import { setImmediate } from 'node:timers/promises';
import type { Type as ClassType } from '@nestjs/common';
import { jest } from '@jest/globals';
import { Expose, plainToInstance, Transform, Type } from 'class-transformer';
import {
  Allow,
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsEmail,
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
  registerDecorator,
  validate,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import fc from 'fast-check';
import { CompiledDto } from './compiled-dto.js';
import { collectFields, type RuleContainer } from './dto-fields.js';
import { DtoValidator } from './dto-validator.js';

/** Decorators from which DTO classes are generated. */
const DECORATORS: (() => PropertyDecorator)[] = [
  () => IsString(),
  () => IsString({ each: true }),
  () => IsInt(),
  () => IsNumber(),
  () => IsNumber({}, { each: true }),
  () => IsBoolean(),
  () => IsOptional(),
  () => IsArray(),
  () => ArrayMaxSize(2),
  () => Min(0),
  () => Max(10),
  () => MinLength(1),
  () => MaxLength(3),
  () => Matches(/^a/),
  () => IsIn(['a', 'b', 1, null]),
  () => IsEmail(),
  () => Allow(),
  () => ValidateIf((dto: object) => 'a' in dto),
  () => ValidateIf((_, value: unknown) => String(value).length > 0),
  () =>
    ValidateBy({
      name: 'hasEqualFields',
      validator: {
        validate: (value, args) => (args?.object as Record<string, unknown>).a === value,
      },
    }),
];

const FIELDS = ['a', 'b', 'c'] as const;
const fieldValue = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'abcd', 'a@b.example', '\ud800@b.example', 0, -1, 5, 10.5, NaN),
  fc.constantFrom<unknown>(true, null, undefined, [], ['a'], ['a', 1], [1, 2, 3], [[]], [null], {}),
  fc.constantFrom<unknown>({ a: 1 }, [{ a: 1 }], new Date(0)),
);
const decoratorList = fc.uniqueArray(fc.nat(DECORATORS.length - 1), { maxLength: 4 });
const dtoDecorators = fc.record({ a: decoratorList, b: decoratorList, c: decoratorList });
const body = fc.dictionary(
  fc.constantFrom(...FIELDS, 'unknown', 'constructor', '__proto__', 'toString'),
  fieldValue,
  { maxKeys: 5 },
);

function createDtoClass(decorators: Record<(typeof FIELDS)[number], number[]>) {
  class Base {
    c: unknown;
  }
  class Dto extends Base {
    b: unknown = 'a';
  }
  for (const field of FIELDS) {
    for (const index of decorators[field]) {
      // Rules of a base class are inherited.
      const target = field === 'c' ? Base.prototype : Dto.prototype;
      DECORATORS[index]?.()(target, field);
    }
  }
  return Dto;
}

/** Some rules throw for some values, which makes these invalid, too. */
async function findErrors(dto: object): Promise<unknown[]> {
  try {
    return await validate(dto, { whitelist: true, forbidUnknownValues: false });
  } catch (error) {
    return [error];
  }
}

const container: RuleContainer = { get: (constraintClass) => new constraintClass() };

function compile(dtoClass: ClassType<object>): CompiledDto | undefined {
  return CompiledDto.compile(dtoClass, collectFields(dtoClass, container));
}

describe('CompiledDto', () => {
  it('accepts only what class-validator accepts, as DtoValidator does, and creates the same instance', async () => {
    let accepted = 0;
    let valid = 0;
    await fc.assert(
      fc.asyncProperty(
        dtoDecorators,
        fc.array(body, { maxLength: 20 }),
        async (decorators, bodies) => {
          const dtoClass = createDtoClass(decorators);
          const compiled = compile(dtoClass);
          const validator = new DtoValidator(container);
          expect(compiled).toBeDefined();
          for (const value of bodies) {
            const dto = compiled?.accept(value);
            const expected = plainToInstance(dtoClass, value);
            const errors = await findErrors(expected);
            const instance = plainToInstance(dtoClass, value);
            const details = await validator.findErrors(instance, { value, loc: ['body'] });
            expect(details.length === 0).toBe(errors.length === 0);
            if (errors.length === 0) valid += 1;
            if (dto === undefined) continue;
            accepted += 1;
            expect(errors).toEqual([]);
            expect(dto).toStrictEqual(expected);
            expect(Object.keys(dto)).toEqual(Object.keys(expected));
          }
        },
      ),
      { numRuns: 500 },
    );
    // Only objects in fields need the slow path.
    expect(accepted).toBeGreaterThan(valid * 0.5);
  });

  it('does not share arrays with the value', () => {
    class Dto {
      @IsArray()
      tags!: string[];
    }
    const value = { tags: ['a'] };
    const dto = compile(Dto)?.accept(value) as Dto;
    expect(dto).toStrictEqual(Object.assign(new Dto(), value));
    expect(dto.tags).not.toBe(value.tags);
  });

  it.each([
    ['@Type', [Type(() => Number), IsInt()]],
    ['@Transform', [Transform(({ value }) => value as unknown), IsInt()]],
    ['@ValidateNested', [Type(() => Object), ValidateNested()]],
    ['groups', [IsInt({ groups: ['create'] })]],
    ['validateIf', [IsInt({ validateIf: () => false })]],
    [
      'an asynchronous rule',
      [
        (target: object, propertyName: string) => {
          const validator = { validate: () => Promise.resolve(true) };
          registerDecorator({ target: target.constructor, propertyName, async: true, validator });
        },
      ],
    ],
  ])('does not compile a DTO with %s', (_, decorators) => {
    class Dto {
      field: unknown;
    }
    for (const decorator of decorators) decorator(Dto.prototype, 'field');
    expect(compile(Dto)).toBeUndefined();
  });

  it('does not compile a DTO with @Expose, also of the other direction', () => {
    class Dto {
      @Expose({ name: 'full_name', toPlainOnly: true })
      @IsOptional()
      name: unknown;
    }
    expect(compile(Dto)).toBeUndefined();
  });

  it('does not accept a value for a field whose default is a function', () => {
    class Dto {
      @Allow()
      name: unknown = () => 'a';
    }
    expect(compile(Dto)?.accept({ name: 'a' })).toBeUndefined();
    expect(compile(Dto)?.accept({})).toEqual({ name: expect.any(Function) as unknown });
  });

  it('evaluates all conditions, as class-validator does', () => {
    const evaluated: string[] = [];
    class Dto {
      @ValidateIf(() => {
        evaluated.push('first');
        return false;
      })
      @ValidateIf(() => {
        evaluated.push('second');
        return false;
      })
      @IsString()
      name: unknown;
    }
    compile(Dto)?.accept({});
    expect(evaluated.sort()).toEqual(['first', 'second']);
  });

  it('does not compile a DTO with an accessor or a method of the name of a field', () => {
    class WithAccessor {
      get name() {
        return this.constructor.name;
      }
    }
    class WithMethod {
      name() {
        return 'a';
      }
    }
    IsString()(WithMethod.prototype, 'name');
    expect(compile(WithAccessor)).toBeUndefined();
    expect(compile(WithMethod)).toBeUndefined();
  });

  it('does not accept what an undeclared asynchronous rule returns, and evaluates it once', async () => {
    const validator = { validate: jest.fn(() => Promise.reject(new Error('no database'))) };
    class Dto {
      @ValidateBy({ name: 'late', validator })
      name!: string;
    }
    const compiled = compile(Dto);
    expect(compiled?.accept({ name: 'a' })).toBeUndefined();
    // Jest fails if a rejection is unhandled in the next iteration of the event loop.
    await setImmediate();
    expect(compiled?.accept({ name: 'a' })).toBeUndefined();
    expect(validator.validate).toHaveBeenCalledTimes(1);
  });
});
