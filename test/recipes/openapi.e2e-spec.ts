import { Body, Controller, Get, Module, Param, ParseIntPipe, Post, Query } from '@nestjs/common';
import {
  ApiBasicAuth,
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiExcludeEndpoint,
  ApiExtraModels,
  ApiForbiddenResponse,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProperty,
  ApiPropertyOptional,
  ApiQuery,
  ApiSecurity,
  ApiTags,
  getSchemaPath,
  OmitType,
  PartialType,
} from '@nestjs/swagger';
import { IsEnum, IsInt, IsOptional, IsString, Min } from 'class-validator';
import request from 'supertest';
import { createTestApp } from '../fixtures/app.js';

enum Kind {
  Dog = 'dog',
  Cat = 'cat',
}

class ToyDto {
  @ApiProperty({ example: 'Ball' })
  name!: string;
}

class PetDto {
  @ApiProperty({ example: 1 })
  id!: number;

  @ApiProperty({ description: 'Name of the pet.', example: 'Rex', minLength: 1 })
  @IsString()
  name!: string;

  @ApiProperty({ enum: Kind, enumName: 'Kind', example: Kind.Dog })
  @IsEnum(Kind)
  kind!: Kind;

  @ApiPropertyOptional({ type: 'integer', minimum: 0, example: 3 })
  @IsOptional()
  @IsInt()
  @Min(0)
  age?: number;
}

class CreatePetDto extends OmitType(PetDto, ['id']) {}

class UpdatePetDto extends PartialType(CreatePetDto) {}

class PageDto<T> {
  @ApiProperty({ example: 1 })
  total!: number;

  items!: T[];
}

@ApiTags('Pets')
@ApiBearerAuth()
@ApiExtraModels(PageDto, ToyDto)
@Controller('pets')
class PetsController {
  @Get()
  @ApiOperation({ operationId: 'listPets', summary: 'List pets', description: 'Lists all pets.' })
  @ApiQuery({ name: 'kind', enum: Kind, required: false, description: 'Kind of the pets.' })
  @ApiHeader({ name: 'X-Shelter', description: 'The shelter.' })
  @ApiOkResponse({
    description: 'A page of toys.',
    schema: {
      allOf: [
        { $ref: getSchemaPath(PageDto) },
        { properties: { items: { type: 'array', items: { $ref: getSchemaPath(ToyDto) } } } },
      ],
    },
  })
  list(@Query('kind') kind?: Kind) {
    return { total: 0, items: [], kind };
  }

  @Post()
  @ApiOperation({ operationId: 'createPet', summary: 'Create a pet', description: 'Creates it.' })
  @ApiCreatedResponse({ description: 'The created pet.', type: PetDto })
  @ApiForbiddenResponse({ description: 'The shelter is full.' })
  create(@Body() { name, kind, age }: CreatePetDto): PetDto {
    return { id: 1, name, kind, age };
  }

  @Post(':id')
  @ApiOperation({ operationId: 'updatePet', summary: 'Update a pet', description: 'Updates it.' })
  @ApiParam({ name: 'id', description: 'Id of the pet.', type: 'integer' })
  @ApiCreatedResponse({ description: 'The updated pet.', type: [PetDto] })
  update(@Param('id', ParseIntPipe) id: number, @Body() pet: UpdatePetDto): object[] {
    return [{ id, pet }];
  }

  @Get('internal')
  @ApiExcludeEndpoint()
  readInternal() {
    return {};
  }
}

@Module({ controllers: [PetsController] })
class PetsModule {}

interface OpenApiDocument {
  paths: Record<string, Record<string, object>>;
  components: { schemas: Record<string, object>; securitySchemes?: object };
}

const headers = { 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } };

async function readDocument(features: object[]): Promise<OpenApiDocument> {
  const { app } = await createTestApp({ features: features as [] });
  const response = await request(app.getHttpServer()).get('/openapi.json').expect(200);
  return response.body as OpenApiDocument;
}

describe('the OpenAPI decorators of a feature', () => {
  let document: OpenApiDocument;

  beforeAll(async () => {
    document = await readDocument([PetsModule]);
  });

  it('describe DTOs, enums and mapped types', () => {
    const name = { type: 'string', description: 'Name of the pet.', example: 'Rex', minLength: 1 };
    const kind = { example: 'dog', allOf: [{ $ref: '#/components/schemas/Kind' }] };
    const age = { type: 'integer', minimum: 0, example: 3 };
    const id = { type: 'number', example: 1 };
    const { Kind, PetDto, CreatePetDto, UpdatePetDto, PageDto, ToyDto } =
      document.components.schemas;
    expect({ Kind, PetDto, CreatePetDto, UpdatePetDto, PageDto, ToyDto }).toEqual({
      Kind: { type: 'string', enum: ['dog', 'cat'] },
      PetDto: {
        type: 'object',
        properties: { id, name, kind, age },
        required: ['id', 'name', 'kind'],
      },
      CreatePetDto: {
        type: 'object',
        properties: { name, kind, age },
        required: ['name', 'kind'],
      },
      UpdatePetDto: { type: 'object', properties: { name, kind, age } },
      PageDto: {
        type: 'object',
        properties: { total: { type: 'number', example: 1 } },
        required: ['total'],
      },
      ToyDto: {
        type: 'object',
        properties: { name: { type: 'string', example: 'Ball' } },
        required: ['name'],
      },
    });
  });

  it('describe parameters, responses and tags of operations', () => {
    expect(document.paths['/pets']?.get).toMatchObject({
      operationId: 'listPets',
      summary: 'List pets',
      description: 'Lists all pets.',
      tags: ['Pets'],
      parameters: [
        {
          name: 'kind',
          in: 'query',
          required: false,
          description: 'Kind of the pets.',
          schema: { type: 'string', enum: ['dog', 'cat'] },
        },
        {
          name: 'X-Shelter',
          in: 'header',
          description: 'The shelter.',
          schema: { type: 'string' },
        },
      ],
      responses: {
        200: {
          description: 'A page of toys.',
          content: {
            'application/json': {
              schema: {
                allOf: [
                  { $ref: '#/components/schemas/PageDto' },
                  {
                    properties: {
                      items: { type: 'array', items: { $ref: '#/components/schemas/ToyDto' } },
                    },
                  },
                ],
              },
            },
          },
          headers,
        },
      },
    });
    expect(document.paths['/pets']?.post).toMatchObject({
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { $ref: '#/components/schemas/CreatePetDto' },
            example: { name: 'Rex', kind: 'dog', age: 3 },
          },
        },
      },
      responses: {
        201: {
          description: 'The created pet.',
          content: {
            'application/json': {
              schema: { $ref: '#/components/schemas/PetDto' },
              example: { id: 1, name: 'Rex', kind: 'dog', age: 3 },
            },
          },
          headers,
        },
        403: {
          description: 'The shelter is full.',
          content: {
            'application/json': {
              schema: { $ref: '#/components/schemas/HTTPError' },
              example: { detail: 'Forbidden' },
            },
          },
          headers,
        },
      },
    });
    expect(document.paths['/pets/{id}']?.post).toMatchObject({
      parameters: [
        {
          name: 'id',
          in: 'path',
          required: true,
          description: 'Id of the pet.',
          schema: { type: 'integer' },
        },
      ],
      responses: {
        201: {
          content: {
            'application/json': {
              schema: { type: 'array', items: { $ref: '#/components/schemas/PetDto' } },
            },
          },
        },
      },
    });
  });

  it('exclude an operation', () => {
    expect(document.paths).not.toHaveProperty(['/pets/internal']);
  });

  it('declare the security scheme that decorators name, if it is used', async () => {
    const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' };
    expect(document.paths['/pets']?.get).toMatchObject({ security: [{ bearer: [] }] });
    expect(document.components.securitySchemes).toEqual({ bearer });

    @Controller('basic')
    class BasicController {
      @Get()
      @ApiBasicAuth()
      read() {
        return {};
      }

      @Post()
      @ApiSecurity('api_key')
      write() {
        return {};
      }
    }

    @Module({ controllers: [BasicController] })
    class BasicModule {}

    const { components } = await readDocument([BasicModule]);
    expect(components.securitySchemes).toEqual({
      basic: { type: 'http', scheme: 'basic' },
      api_key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    });
    expect((await readDocument([])).components).not.toHaveProperty('securitySchemes');
  });
});
