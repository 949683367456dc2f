import type { Type } from '@nestjs/common';
import {
  IsArray,
  IsBoolean,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  IsUrl,
  Max,
  Min,
  MinLength,
} from 'class-validator';
import { Transform } from 'class-transformer';
import { parseSettings } from './parse-settings.js';
import { Secret, WholeNumber } from './setting.decorators.js';

class PhotoSettings {
  @IsUrl({ require_tld: false }, { message: 'expected a URL' })
  PHOTO_URL!: string;

  @WholeNumber(1, 100)
  PHOTO_LIMIT: number = 10;

  @IsString()
  @IsOptional()
  PHOTO_PREFIX?: string;

  @Secret()
  @MinLength(8)
  @IsOptional()
  PHOTO_KEY?: string;
}

/** Settings with the decorators of class-validator and their own messages. */
class PlainSettings {
  @IsInt()
  @Min(1)
  @Max(10)
  COUNT: number = 1;

  @IsBoolean()
  ENABLED: boolean = false;

  @Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',') : value,
  )
  @IsArray()
  @MinLength(2, { each: true })
  NAMES: string[] = [];
}

const URL = 'http://localhost:9000';

function parse<T extends object>(type: Type<T>, env: Record<string, string>): unknown {
  return parseSettings(env, [type]).featureSettings.get(type);
}

function readErrors(env: Record<string, string>, types: Type<object>[]): string[] {
  try {
    parseSettings(env, types);
    return [];
  } catch (error) {
    return (error as AggregateError).errors.map(({ message }: Error) => message);
  }
}

describe('parseSettings', () => {
  it("returns an instance of each feature's class, with defaults and without other variables", () => {
    const env = { PHOTO_URL: URL, PHOTO_PREFIX: '', PORT: '80', PATH: '/bin' };
    const { settings, featureSettings } = parseSettings(env, [PhotoSettings, PlainSettings]);
    expect(settings.PORT).toBe(80);
    expect([...featureSettings.keys()]).toEqual([PhotoSettings, PlainSettings]);
    const photos = featureSettings.get(PhotoSettings);
    expect(photos).toBeInstanceOf(PhotoSettings);
    expect(photos).toEqual({ PHOTO_URL: URL, PHOTO_LIMIT: 10 });
  });

  it('converts numbers and flags by the type of the property', () => {
    expect(parse(PlainSettings, { COUNT: '7', ENABLED: 'true', NAMES: 'Rex,Luna' })).toEqual({
      COUNT: 7,
      ENABLED: true,
      NAMES: ['Rex', 'Luna'],
    });
    expect(parse(PlainSettings, { ENABLED: 'false' })).toMatchObject({ ENABLED: false });
  });

  it('reports the invalid variables of the platform and of all features', () => {
    const env = { PORT: 'http', LOG_LEVEL: 'loud', PHOTO_LIMIT: '200', COUNT: 'two' };
    expect(readErrors(env, [PhotoSettings, PlainSettings])).toEqual([
      'PORT: expected a whole number from 0 to 65535, got "http"',
      'LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
      'PHOTO_URL: expected a URL, but it is not set. Set it in the environment or in .env.',
      'PHOTO_LIMIT: expected a whole number from 1 to 100, got "200"',
      'COUNT: must be an integer number and must not be less than 1 and must not be greater than 10, got "two"',
    ]);
  });

  it("reports class-validator's own messages without repeating the name", () => {
    expect(readErrors({ COUNT: '1.5', ENABLED: 'yes', NAMES: 'Rex,L' }, [PlainSettings])).toEqual([
      'COUNT: must be an integer number, got "1.5"',
      'ENABLED: must be a boolean value, got "yes"',
      'NAMES: each value must be longer than or equal to 2 characters, got "Rex,L"',
    ]);
  });

  it('joins the lines of all errors in its message', () => {
    expect(() => parseSettings({ PORT: 'http' }, [PhotoSettings])).toThrow(
      'PORT: expected a whole number from 0 to 65535, got "http"\n' +
        'PHOTO_URL: expected a URL, but it is not set. Set it in the environment or in .env.',
    );
  });

  it('reports a variable once that two features declare', () => {
    class OtherSettings extends PhotoSettings {}
    expect(readErrors({ PHOTO_URL: 'x y' }, [PhotoSettings, OtherSettings])).toEqual([
      'PHOTO_URL: expected a URL, got "x y"',
    ]);
  });

  it('does not report the value of a secret', () => {
    expect(readErrors({ PHOTO_URL: URL, PHOTO_KEY: 'hunter2' }, [PhotoSettings])).toEqual([
      'PHOTO_KEY: must be longer than or equal to 8 characters, got a value that is not shown here',
    ]);
  });

  it('does not report a value that is a secret in another class', () => {
    class UploadSettings {
      @MinLength(10)
      @IsOptional()
      PHOTO_KEY?: string;
    }
    const env = { PHOTO_URL: URL, PHOTO_KEY: 'hunter2' };
    expect(readErrors(env, [UploadSettings, PhotoSettings])).toEqual([
      'PHOTO_KEY: must be longer than or equal to 10 characters, got a value that is not shown here',
      'PHOTO_KEY: must be longer than or equal to 8 characters, got a value that is not shown here',
    ]);
  });

  it('reports a value that @Transform cannot parse, without the error of @Transform', () => {
    const parseUrl = ({ value }: { value: string }) => new globalThis.URL(value);
    class DatabaseSettings {
      @Secret()
      @Transform(parseUrl)
      @IsObject()
      DB_URL!: object;

      @Transform(parseUrl)
      @IsObject()
      REPLICA_URL!: object;

      @WholeNumber(1, 10)
      DB_CONNECTIONS: number = 5;
    }
    const env = {
      PORT: 'http',
      DB_URL: 'postgres//user:hunter2@h',
      REPLICA_URL: 'replica',
      DB_CONNECTIONS: '0',
    };
    expect(readErrors(env, [DatabaseSettings])).toEqual([
      'PORT: expected a whole number from 0 to 65535, got "http"',
      'DB_URL: the value could not be parsed, got a value that is not shown here',
      'REPLICA_URL: the value could not be parsed, got "replica"',
      'DB_CONNECTIONS: expected a whole number from 1 to 10, got "0"',
    ]);
    const url = 'postgres://localhost/pets';
    expect(parse(DatabaseSettings, { DB_URL: url, REPLICA_URL: url })).toEqual({
      DB_URL: new globalThis.URL(url),
      REPLICA_URL: new globalThis.URL(url),
      DB_CONNECTIONS: 5,
    });
  });

  it('converts numbers and flags by the decorators of a property of another type', () => {
    class NullableSettings {
      @IsInt()
      @IsOptional()
      COUNT?: number | null;

      @IsNumber()
      RATE: number | undefined;

      @IsBoolean()
      ENABLED: boolean | undefined;

      @Transform(({ value }: { value: string }) => value.split(',').map(Number))
      @IsInt({ each: true })
      WEIGHTS!: number[];
    }
    const env = { COUNT: '5', RATE: '.5', ENABLED: 'true', WEIGHTS: '1' };
    expect(parse(NullableSettings, env)).toEqual({
      COUNT: 5,
      RATE: 0.5,
      ENABLED: true,
      WEIGHTS: [1],
    });
  });

  it.each([
    ['1e3', 1000],
    ['-1.5E-3', -0.0015],
    ['2.', 2],
    ['+2', 2],
  ])('converts %s to %d', (RATE, expected) => {
    class RateSettings {
      @IsNumber()
      RATE!: number;
    }
    expect(parse(RateSettings, { RATE })).toEqual({ RATE: expected });
  });

  it.each(['Infinity', '0x10', '1e', '.', ' 1', '1_000'])('rejects the number %j', (RATE) => {
    class RateSettings {
      @IsNumber()
      RATE!: number;
    }
    expect(readErrors({ RATE }, [RateSettings])).toEqual([
      `RATE: must be a number conforming to the specified constraints, got "${RATE}"`,
    ]);
  });

  it.each(['99999999999999999999', '-9007199254740993'])(
    'rejects the integer %s, which a number cannot represent',
    (ID) => {
      class IdSettings {
        @IsInt()
        ID!: number;
      }
      expect(readErrors({ ID }, [IdSettings])).toEqual([
        `ID: must be an integer number, got "${ID}"`,
      ]);
    },
  );

  it('reports an invalid default', () => {
    class LimitSettings {
      @WholeNumber(1, 5)
      LIMIT: number = 10;
    }
    expect(readErrors({}, [LimitSettings])).toEqual([
      'LIMIT: expected a whole number from 1 to 5, got 10',
    ]);
  });

  it('rejects a property without a class-validator decorator', () => {
    class BareSettings {
      BARE_LIMIT: number = 10;

      @Secret()
      BARE_KEY!: string;

      @Transform(() => 'never called')
      BARE_NAME!: string;
    }
    const expected = (name: string) =>
      `${name}: BareSettings has no class-validator decorator for it. Add one such as @IsString().`;
    const names = ['BARE_LIMIT', 'BARE_KEY', 'BARE_NAME'];
    const env = { BARE_LIMIT: '5', BARE_KEY: 'hunter2', BARE_NAME: 'Rex' };
    expect(readErrors(env, [BareSettings])).toEqual(names.map(expected));
    // Nothing declares BARE_NAME while it is not set.
    expect(readErrors({}, [BareSettings])).toEqual(names.slice(0, 2).map(expected));
  });
});
