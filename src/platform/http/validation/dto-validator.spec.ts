import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import * as classValidator from 'class-validator';
import { StartupError } from '../../startup-error.js';
import { DtoValidator } from './dto-validator.js';

/** Arguments of the decorators that need some. */
const ARGUMENTS: Record<string, unknown[]> = {
  ArrayContains: [['a']],
  ArrayMaxSize: [2],
  ArrayMinSize: [1],
  ArrayNotContains: [['a']],
  Contains: ['a'],
  Equals: ['a'],
  IsByteLength: [1, 3],
  IsDivisibleBy: [2],
  IsEnum: [{ A: 'a' }],
  IsHash: ['md5'],
  IsIdentityCard: ['any'],
  IsIn: [['a']],
  IsInstance: [Date],
  IsMobilePhone: ['de-DE'],
  IsNotIn: [['a']],
  IsPassportNumber: ['DE'],
  IsPhoneNumber: ['DE'],
  IsPostalCode: ['DE'],
  Length: [1, 3],
  Matches: [/a/],
  Max: [1],
  MaxDate: [new Date(0)],
  MaxLength: [3],
  Min: [1],
  MinDate: [new Date(0)],
  MinLength: [1],
  NotContains: ['a'],
  NotEquals: ['a'],
};

const DECORATORS = Object.entries(classValidator).filter(
  ([name, value]) =>
    typeof value === 'function' &&
    /^(?:Array|Contains|Equals|Is|Length|Matches|Max|Min|Not)[A-Z]?/.test(name) &&
    name !== 'IsOptional',
) as [string, (...args: unknown[]) => PropertyDecorator][];

const HOSTILE_VALUES: unknown[] = [
  ...[undefined, null, true, 0, -1, NaN, Infinity, [], [null], [[]], [{}], {}, new Date(NaN)],
  ...['', 'a', '\ud800', '\ud800@b.example', 'a@\ud800.example', 'http://\ud800', 'xn--\ud800'],
  ...['%', '%E0%A4%A', '{"a":', '\0', '::1', 'mailto:a', 'data:;base64,', 'magnet:?', '2020-13-45'],
  ...['a'.repeat(5000), '['.repeat(3000), '1'.repeat(400), '+'.repeat(50)],
  ...[{ valueOf: 1, toString: 1 }, { length: 5 }, { then: 1 }, { constructor: 5 }],
  Object.create(null),
  [Object.create(null)],
];

const { IsString, ValidateNested } = classValidator;

class InnerDto {
  @IsString()
  name!: string;
}

const validator = new DtoValidator({ get: (constraintClass) => new constraintClass() });

describe('DtoValidator', () => {
  it('finds the decorators of class-validator', () => {
    expect(DECORATORS.length).toBeGreaterThan(90);
  });

  it.each(DECORATORS)('reports errors of @%s instead of throwing', async (name, decorate) => {
    class Dto {
      x: unknown;
    }
    decorate(...(ARGUMENTS[name] ?? []))(Dto.prototype, 'x');
    for (const x of HOSTILE_VALUES) {
      const dto = Object.assign(new Dto(), { x });
      const errors = await validator.findErrors(dto, { value: { x }, loc: ['body'] });
      expect(errors.length).toBeLessThan(2);
    }
  });

  it.each<[string, PropertyDecorator, unknown, string]>([
    ['an object', ValidateNested(), InnerDto, 'InnerDto'],
    ['a list', ValidateNested({ each: true }), Array, 'NestedDto'],
    ['an interface', ValidateNested(), Object, 'NestedDto'],
  ])('rejects @ValidateNested without @Type for %s', (_, decorate, designType, expected) => {
    class OuterDto {
      inner: unknown;
    }
    decorate(OuterDto.prototype, 'inner');
    Reflect.defineMetadata('design:type', designType, OuterDto.prototype, 'inner');
    expect(() => validator.getFields(OuterDto)).toThrow(
      new StartupError(
        `OuterDto.inner has @ValidateNested() but no @Type(). Add @Type(() => ${expected}).`,
      ),
    );
  });

  it.each<[string, PropertyDecorator]>([
    ['@Type', Type(() => InnerDto)],
    ['@Transform', Transform(() => new InnerDto())],
  ])('accepts @ValidateNested with %s', (_, decorate) => {
    class OuterDto {
      inner: unknown;
    }
    for (const each of [ValidateNested(), decorate]) each(OuterDto.prototype, 'inner');
    expect(validator.getFields(OuterDto).size).toBe(1);
  });
});
