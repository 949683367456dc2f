import { readFileSync } from 'node:fs';
import { Body, Controller, Get, HttpCode, Module, Param, Post, Query } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ApiProperty, ApiPropertyOptional, type OpenAPIObject } from '@nestjs/swagger';
import { Transform, type TransformFnParams, Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsEnum,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  IsUUID,
  Max,
  Min,
  MinLength,
} from 'class-validator';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';

enum Kind {
  Dog = 'dog',
  Cat = 'cat',
}

enum Size {
  Small = 1,
  Large,
}

class PetQueryDto {
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 100 })
  @IsInt()
  @Min(1)
  @Max(100)
  limit!: number;

  @ApiPropertyOptional()
  @IsOptional()
  @IsNumber()
  ratio?: number;

  @ApiPropertyOptional()
  @IsOptional()
  @IsBoolean()
  active?: boolean;

  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID()
  id?: string;

  @ApiPropertyOptional({ enum: Kind })
  @IsOptional()
  @IsEnum(Kind)
  kind?: Kind;

  @ApiPropertyOptional({ enum: Size })
  @IsOptional()
  @IsEnum(Size)
  size?: Size;

  @ApiPropertyOptional({ enum: ['asc', 'desc'] })
  @IsOptional()
  @IsIn(['asc', 'desc'])
  sort?: 'asc' | 'desc';

  @ApiPropertyOptional({ type: [String] })
  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  tag?: string[];

  @ApiPropertyOptional({ type: 'array', items: { type: 'integer', minimum: 1 } })
  @IsOptional()
  @IsInt({ each: true })
  @Min(1, { each: true })
  ids?: number[];

  @ApiPropertyOptional({ minLength: 2 })
  @IsOptional()
  @MinLength(2)
  q?: string;
}

class ListQueryDto {
  @IsArray()
  @IsString({ each: true })
  tag!: string[];

  @IsInt()
  limit!: number;
}

class PetPathDto {
  @ApiProperty({ type: 'integer' })
  @IsInt()
  id!: number;
}

class PetBodyDto {
  @ApiProperty()
  @IsString()
  name!: string;
}

class ConvertedQueryDto {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  limit = 10;

  @IsOptional()
  @IsInt({ each: true })
  @Transform(({ value }: TransformFnParams) => String(value).split(',').map(Number))
  ids?: number[];

  @IsOptional()
  @Min(1)
  offset?: number;

  @IsOptional()
  @IsIn([1, 2, true])
  choice?: number | boolean;

  @IsOptional()
  @IsUUID('4')
  version4?: string;

  @IsOptional()
  @IsNumber({ maxDecimalPlaces: 2 })
  price?: number;
}

@Controller()
class PetsController {
  @Get('pets')
  readPets(@Query() query: PetQueryDto) {
    return query;
  }

  @Get('lists')
  readLists(@Query() query: ListQueryDto) {
    return query;
  }

  @Post('pets/:id')
  @HttpCode(200)
  // The parameters are in another order than the errors.
  updatePet(
    @Body() { name }: PetBodyDto,
    @Query() { limit }: PetQueryDto,
    @Param() { id }: PetPathDto,
  ) {
    return { id, limit, name };
  }

  @Get('converted')
  readConverted(@Query() query: ConvertedQueryDto) {
    return query;
  }
}

@Module({ controllers: [PetsController] })
class PetsModule {}

/** A request and FastAPI's response to it. fastapi/record-parameters.py records them. */
interface Recording {
  request: { method: string; path: string; body: object | null };
  response: { status: number; body: unknown };
}

const { recordings } = JSON.parse(
  readFileSync(new URL('./fastapi/parameters.json', import.meta.url), 'utf8'),
) as { recordings: Recording[] };

/** Removes the reason why text is not a UUID, which only FastAPI returns. */
function removeUuidReason(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body), (_, value: unknown) => {
    const { type, loc, input } = Object(value) as Record<string, unknown>;
    return type === 'uuid_parsing'
      ? { type, loc, msg: 'Input should be a valid UUID', input }
      : value;
  });
}

describe('query and path parameters', () => {
  let app: NestExpressApplication;

  beforeAll(async () => {
    ({ app } = await createTestApp({ features: [PetsModule] }));
  });

  it.each(recordings)(
    'get the same response as from FastAPI: $request.method $request.path',
    async ({ request: { method, path, body }, response }) => {
      const actual = await request(app.getHttpServer())
        [method === 'GET' ? 'get' : 'post'](path)
        .send(body ?? undefined);
      expect(actual.status).toBe(response.status);
      // As text, because the order of the keys is part of the contract.
      const text = JSON.stringify(removeUuidReason(response.body));
      expect(actual.text).toBe(text);
    },
  );

  const get = async (path: string): Promise<[status: number, body: unknown]> => {
    const response = await request(app.getHttpServer()).get(path);
    return [response.status, response.body];
  };

  it.each([
    ['/pets/x?limit=y', ['path', 'id']],
    ['/pets/5?limit=y', ['query', 'limit']],
    ['/pets/5?limit=1', ['body', 'name']],
  ])('report the path, then the query, then the body: %s', async (path, loc) => {
    const response = await request(app.getHttpServer()).post(path).send({});
    const { detail } = response.body as { detail: { loc: unknown[] }[] };
    expect(detail.map((error) => error.loc)).toEqual([loc]);
  });

  it.each<[string, object]>([
    ['', { limit: 10 }],
    ['limit=0x10', { limit: 16 }],
    ['ids=1,2', { limit: 10, ids: [1, 2] }],
    ['offset=5', { limit: 10, offset: 5 }],
    ['choice=2', { limit: 10, choice: 2 }],
    ['choice=true', { limit: 10, choice: true }],
    ['price=1.25', { limit: 10, price: 1.25 }],
  ])(
    'are converted as @Type, @Transform, or the declared type says: %s',
    async (query, expected) => {
      expect(await get(`/converted?${query}`)).toEqual([200, expected]);
    },
  );

  const INT_PARSING = {
    type: 'int_parsing',
    msg: 'Input should be a valid integer, unable to parse string as an integer',
  };
  it.each<[string, object, (string | number)[], string]>([
    ['limit=x', INT_PARSING, ['limit'], 'x'],
    [
      'limit=1&offset=x',
      {
        type: 'float_parsing',
        msg: 'Input should be a valid number, unable to parse string as a number',
      },
      ['offset'],
      'x',
    ],
    [
      'choice=3',
      {
        type: 'literal_error',
        msg: 'Input should be 1, 2 or true',
        ctx: { expected: '1, 2 or true' },
      },
      ['choice'],
      '3',
    ],
    [
      'version4=12345678-1234-1234-9234-123456789012',
      { type: 'uuid_version', msg: 'UUID version 4 expected', ctx: { expected_version: 4 } },
      ['version4'],
      '12345678-1234-1234-9234-123456789012',
    ],
    [
      'price=1.234',
      { type: 'float_type', msg: 'Input should be a valid number' },
      ['price'],
      '1.234',
    ],
  ])('report the error of the type: %s', async (query, error, loc, input) => {
    expect(await get(`/converted?${query}`)).toEqual([
      422,
      { detail: [{ ...error, loc: ['query', ...loc], input }] },
    ]);
  });

  it('are parsed in linear time', async () => {
    const measure = async (field: string) => {
      const durations: number[] = [];
      for (let count = 0; count < 10; count += 1) {
        const start = performance.now();
        const [status] = await get(`/converted?${field}=${'1'.repeat(15_000)}x`);
        durations.push(performance.now() - start);
        expect(status).toBe(422);
      }
      return Math.min(...durations);
    };
    // With a quadratic expression, the number takes 100 times as long as the choice.
    expect(await measure('offset')).toBeLessThan(10 * (await measure('choice')));
  });

  it('reject integers that JavaScript cannot represent', async () => {
    const input = '9007199254740993';
    expect(await get(`/lists?tag=a&limit=${input}`)).toEqual([
      422,
      {
        detail: [
          {
            type: 'int_parsing_size',
            loc: ['query', 'limit'],
            msg: 'Unable to parse input string as an integer, exceeded maximum size',
            input,
          },
        ],
      },
    ]);
  });

  it('are documented as they are accepted', async () => {
    const [, document] = (await get('/openapi.json')) as [number, OpenAPIObject];
    expect(document.paths['/pets/{id}']?.post?.parameters).toEqual([
      {
        name: 'limit',
        in: 'query',
        required: true,
        schema: { type: 'integer', minimum: 1, maximum: 100 },
      },
      { name: 'ratio', in: 'query', required: false, schema: { type: 'number' } },
      { name: 'active', in: 'query', required: false, schema: { type: 'boolean' } },
      { name: 'id', in: 'query', required: false, schema: { type: 'string', format: 'uuid' } },
      {
        name: 'kind',
        in: 'query',
        required: false,
        schema: { type: 'string', enum: ['dog', 'cat'] },
      },
      { name: 'size', in: 'query', required: false, schema: { type: 'number', enum: [1, 2] } },
      {
        name: 'sort',
        in: 'query',
        required: false,
        schema: { type: 'string', enum: ['asc', 'desc'] },
      },
      {
        name: 'tag',
        in: 'query',
        required: false,
        schema: { type: 'array', items: { type: 'string' } },
      },
      {
        name: 'ids',
        in: 'query',
        required: false,
        schema: { type: 'array', items: { type: 'integer', minimum: 1 } },
      },
      { name: 'q', in: 'query', required: false, schema: { type: 'string', minLength: 2 } },
      { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
    ]);
  });
});
