import {
  Body,
  Controller,
  Get,
  Headers,
  Module,
  type ModuleMetadata,
  Param,
  Patch,
  Post,
  Put,
  Query,
  type Type,
  UploadedFile,
  UseInterceptors,
  Version,
} from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import {
  ApiBody,
  ApiConflictResponse,
  ApiConsumes,
  ApiDefaultResponse,
  ApiExcludeEndpoint,
  ApiForbiddenResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiPreconditionFailedResponse,
  ApiProduces,
  ApiProperty,
  ApiPropertyOptional,
  ApiResponse,
  ApiSchema,
  ApiServiceUnavailableResponse,
  ApiTooManyRequestsResponse,
  ApiUnauthorizedResponse,
  ApiUnprocessableEntityResponse,
  type OpenAPIObject,
  type OperationObject,
} from '@nestjs/swagger';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { IsInt, IsString, IsUUID } from 'class-validator';
import request from 'supertest';
import { HttpErrorDto, HttpValidationErrorDto } from '../src/platform/http/error-response.dto.js';
import { createTestApp, type TestApp } from './fixtures/app.js';

const REQUEST_ID = { 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } };

function createModule(...controllers: NonNullable<ModuleMetadata['controllers']>): Type {
  @Module({ controllers })
  class FixtureModule {}
  return FixtureModule;
}

async function createDocument(...controllers: Type[]): Promise<OpenAPIObject> {
  // One module each, because the document is created by module.
  const { app } = await createTestApp({
    features: controllers.map((controller) => createModule(controller)),
  });
  return fetchDocument(app);
}

async function fetchDocument(app: TestApp['app']): Promise<OpenAPIObject> {
  const response = await request(app.getHttpServer()).get('/openapi.json').expect(200);
  return response.body as OpenAPIObject;
}

/** Returns the responses of an operation, such as `get /pets`. */
function getResponses(document: OpenAPIObject, operation: string): object {
  return getOperation(document, operation).responses;
}

function getOperation({ paths }: OpenAPIObject, operation: string): OperationObject {
  const [method = '', path = ''] = operation.split(' ');
  const found = (paths[path] as Record<string, OperationObject> | undefined)?.[method];
  if (found === undefined) throw new Error(`Expected ${operation} in ${Object.keys(paths).join()}`);
  return found;
}

/** The response that the document has for an error. */
function errorResponse(description: string, detail: unknown, schema = 'HTTPError') {
  return {
    description,
    content: {
      'application/json': {
        schema: { $ref: `#/components/schemas/${schema}` },
        example: { detail },
      },
    },
    headers: REQUEST_ID,
  };
}

const DEFAULT = errorResponse(
  'An error, such as 400 for a malformed request or 500 for an unexpected error.',
  'Internal Server Error',
);

/** Lists the operation ids of the paths below `/pets`. */
function listIds({ paths }: OpenAPIObject, prefix = '/pets'): Record<string, string> {
  return Object.fromEntries(
    Object.entries(paths)
      .filter(([path]) => path.includes(prefix))
      .flatMap(([path, item]) =>
        Object.entries(item as Record<string, OperationObject>).map(
          ([method, { operationId }]): [string, string] => [`${method} ${path}`, `${operationId}`],
        ),
      ),
  );
}

async function findProblems(document: OpenAPIObject): Promise<string[]> {
  const config = await createConfig({
    extends: ['minimal'],
    rules: { 'operation-operationId-unique': 'error', 'no-invalid-media-type-examples': 'error' },
  });
  const problems = await lintFromString({ source: JSON.stringify(document), config });
  return problems
    .filter(({ severity, ruleId }) => severity === 'error' || ruleId.includes('example'))
    .map(({ message, location }) => `${message} ${location[0]?.pointer}`);
}

class PetDto {
  @ApiProperty({ example: 'Rex' })
  @IsString()
  name!: string;

  @ApiProperty({ example: 3 })
  @IsInt()
  age!: number;
}

class PetPatchDto {
  @ApiPropertyOptional({ example: 'Rex' })
  name?: string;
}

describe('the responses that an author documents', () => {
  @Controller('pets')
  @ApiForbiddenResponse()
  class PetsController {
    @Get()
    @ApiUnauthorizedResponse()
    @ApiNotFoundResponse()
    @ApiConflictResponse()
    @ApiPreconditionFailedResponse()
    @ApiServiceUnavailableResponse()
    @ApiTooManyRequestsResponse()
    @ApiOkResponse({ description: 'All pets.' })
    list() {
      return [];
    }

    @Get('described')
    @ApiNotFoundResponse({ description: 'There is no pet.' })
    @ApiConflictResponse({ type: HttpErrorDto })
    @ApiPreconditionFailedResponse({ type: HttpErrorDto, example: { detail: 'Stale' } })
    @ApiServiceUnavailableResponse({ headers: { 'Retry-After': { schema: { type: 'integer' } } } })
    @ApiUnprocessableEntityResponse()
    @ApiResponse({ status: '4XX', description: '' })
    @ApiOkResponse({ description: 'A pet.' })
    described() {
      return {};
    }

    @Post()
    @ApiUnprocessableEntityResponse({ description: 'The name is taken.', type: PetDto })
    @ApiDefaultResponse({ description: 'Mine.', type: PetDto })
    add(@Body() pet: PetDto) {
      return pet;
    }

    @Put()
    @ApiUnprocessableEntityResponse({ description: 'Not a pet.' })
    @ApiDefaultResponse({ description: 'Mine.' })
    replace(@Body() pet: PetDto) {
      return pet;
    }

    @Patch()
    @ApiUnprocessableEntityResponse({ type: HttpValidationErrorDto })
    update(@Body() pet: PetDto) {
      return pet;
    }
  }

  let document: OpenAPIObject;

  beforeAll(async () => {
    document = await createDocument(PetsController);
  });

  it('refer to shared responses if only the status is documented', () => {
    expect(getResponses(document, 'get /pets')).toEqual({
      200: { description: 'All pets.', headers: REQUEST_ID },
      401: { $ref: '#/components/responses/Unauthorized' },
      403: { $ref: '#/components/responses/Forbidden' },
      404: { $ref: '#/components/responses/NotFound' },
      409: { $ref: '#/components/responses/Conflict' },
      412: { $ref: '#/components/responses/PreconditionFailed' },
      429: { $ref: '#/components/responses/TooManyRequests' },
      503: { $ref: '#/components/responses/ServiceUnavailable' },
      default: DEFAULT,
    });
  });

  it('are shared only if they are used', async () => {
    expect(document.components?.responses).toEqual({
      Unauthorized: errorResponse('The request has no valid credentials.', 'Unauthorized'),
      Forbidden: errorResponse('The caller is not allowed to send this request.', 'Forbidden'),
      NotFound: errorResponse('The resource does not exist.', 'Not Found'),
      Conflict: errorResponse(
        'The request conflicts with the current state of the resource.',
        'Conflict',
      ),
      PreconditionFailed: errorResponse(
        'The resource has changed since the caller read it.',
        'Precondition Failed',
      ),
      UnprocessableEntity: errorResponse('The request is not valid.', 'Unprocessable Entity'),
      TooManyRequests: errorResponse('Too Many Requests', 'Too Many Requests'),
      ServiceUnavailable: errorResponse(
        'The service cannot handle the request now.',
        'Service Unavailable',
      ),
    });
    expect((await createDocument()).components).not.toHaveProperty('responses');
  });

  it('keep their description, type, example, and headers', () => {
    expect(getResponses(document, 'get /pets/described')).toEqual({
      200: { description: 'A pet.', headers: REQUEST_ID },
      403: { $ref: '#/components/responses/Forbidden' },
      404: errorResponse('There is no pet.', 'Not Found'),
      409: errorResponse(
        'The request conflicts with the current state of the resource.',
        'Conflict',
      ),
      412: errorResponse('The resource has changed since the caller read it.', 'Stale'),
      422: { $ref: '#/components/responses/UnprocessableEntity' },
      503: {
        ...errorResponse('The service cannot handle the request now.', 'Service Unavailable'),
        headers: { ...REQUEST_ID, 'Retry-After': { schema: { type: 'integer' } } },
      },
      '4XX': errorResponse('An error.', 'Bad Request'),
      default: DEFAULT,
    });
  });

  it('are not overwritten for 422 and default', () => {
    const schema = { $ref: '#/components/schemas/PetDto' };
    const content = { 'application/json': { schema, example: { name: 'Rex', age: 3 } } };
    expect(getResponses(document, 'post /pets')).toMatchObject({
      422: { description: 'The name is taken.', content, headers: REQUEST_ID },
      default: { description: 'Mine.', content, headers: REQUEST_ID },
    });
    const detail = [
      { type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: { age: 3 } },
    ];
    expect(getResponses(document, 'put /pets')).toMatchObject({
      422: errorResponse('Not a pet.', detail, 'HTTPValidationError'),
      default: errorResponse('Mine.', 'Internal Server Error'),
    });
    expect(getResponses(document, 'patch /pets')).toMatchObject({
      422: errorResponse('The request is not valid.', detail, 'HTTPValidationError'),
      default: DEFAULT,
    });
  });

  it('are valid', async () => {
    expect(await findProblems(document)).toEqual([]);
  });
});

describe('the example of a 422', () => {
  @Controller('pets')
  class PetsController {
    @Post()
    add(@Body() pet: PetDto) {
      return pet;
    }

    @Patch(':id')
    @ApiParam({ name: 'id', type: 'integer' })
    update(@Param('id') id: number, @Body() pet: PetPatchDto) {
      return [id, pet];
    }

    @Get('names/:id')
    findByName(@Param('id') id: string) {
      return id;
    }

    @Get('numbers/:id')
    findByNumber(@Query('limit') limit: number, @Param('id') id: number) {
      return [id, limit];
    }

    @Get('uuids/:id')
    @ApiParam({ name: 'id', format: 'uuid' })
    findByUuid(@Param('id') id: string) {
      return id;
    }

    @Get('kinds/:kind')
    @ApiParam({ name: 'kind', enum: ['dog', 'cat'], enumName: 'Kind' })
    findByKind(@Param('kind') kind: string) {
      return kind;
    }

    @Get('search')
    search(@Query('name') name: string, @Query('hasOwner') hasOwner: boolean) {
      return [name, hasOwner];
    }

    @Get('owned')
    listOwned(@Query('owner') owner: string) {
      return owner;
    }

    @Get('changed')
    listChanged(@Headers('since') since: string) {
      return since;
    }

    @Post('lists')
    addAll(@Body() pets: PetDto[]) {
      return pets;
    }
  }

  it.each([
    [
      'post /pets',
      { type: 'missing', loc: ['body', 'name'], msg: 'Field required', input: { age: 3 } },
    ],
    ['patch /pets/{id}', { type: 'missing', loc: ['body'], msg: 'Field required', input: null }],
    [
      'get /pets/numbers/{id}',
      {
        type: 'float_parsing',
        loc: ['path', 'id'],
        msg: 'Input should be a valid number, unable to parse string as a number',
        input: 'abc',
      },
    ],
    [
      'get /pets/uuids/{id}',
      {
        type: 'uuid_parsing',
        loc: ['path', 'id'],
        msg: 'Input should be a valid UUID',
        input: 'abc',
      },
    ],
    [
      'get /pets/kinds/{kind}',
      {
        type: 'literal_error',
        loc: ['path', 'kind'],
        msg: "Input should be 'dog' or 'cat'",
        input: 'abc',
        ctx: { expected: "'dog' or 'cat'" },
      },
    ],
    [
      'get /pets/search',
      {
        type: 'bool_parsing',
        loc: ['query', 'hasOwner'],
        msg: 'Input should be a valid boolean, unable to interpret input',
        input: 'abc',
      },
    ],
    [
      'get /pets/owned',
      { type: 'missing', loc: ['query', 'owner'], msg: 'Field required', input: {} },
    ],
    [
      'get /pets/changed',
      { type: 'missing', loc: ['header', 'since'], msg: 'Field required', input: {} },
    ],
  ])('fits %s', async (operation, error) => {
    const document = await createDocument(PetsController);
    expect(getResponses(document, operation)).toMatchObject({
      422: errorResponse('The request is not valid.', [error], 'HTTPValidationError'),
    });
    expect(await findProblems(document)).toEqual([]);
  });

  it('is absent for a parameter of which each value is valid', async () => {
    const document = await createDocument(PetsController);
    expect(getResponses(document, 'get /pets/names/{id}')).toMatchObject({
      422: {
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/HTTPValidationError' } },
        },
      },
    });
    expect(JSON.stringify(getResponses(document, 'get /pets/names/{id}'))).not.toContain(
      'value_error',
    );
  });

  it.each([
    ['post /pets', '/pets', { age: 3 }],
    ['post /pets/{id}/names', '/pets/abc/names', undefined],
    ['post /pets/searches', '/pets/searches?limit=abc', undefined],
    ['post /pets/filters', '/pets/filters', undefined],
  ])('is the response of the service to %s', async (operation, url, body) => {
    class IdDto {
      @ApiProperty({ format: 'uuid' })
      @IsUUID()
      id!: string;
    }
    class LimitDto {
      @ApiProperty({ type: 'integer' })
      @IsInt()
      limit!: number;
    }
    class FilterDto {
      @ApiProperty()
      @IsString()
      name!: string;
    }
    @Controller('pets')
    class ValidatedController {
      @Post()
      add(@Body() pet: PetDto) {
        return pet;
      }

      @Post(':id/names')
      addName(@Param() { id }: IdDto) {
        return id;
      }

      @Post('searches')
      addSearch(@Query() { limit }: LimitDto) {
        return limit;
      }

      @Post('filters')
      addFilter(@Query() filter: FilterDto) {
        return filter;
      }
    }
    const { app } = await createTestApp({ features: [createModule(ValidatedController)] });
    const response = await request(app.getHttpServer()).post(url).send(body).expect(422);
    expect(getResponses(await fetchDocument(app), operation)).toMatchObject({
      422: { content: { 'application/json': { example: response.body as object } } },
    });
  });
});

describe('a body that is not JSON', () => {
  class PhotoDto {
    @ApiProperty({ format: 'binary', type: 'string' })
    file!: unknown;

    @ApiProperty({ example: 'Rex' })
    title!: string;
  }

  @ApiSchema({ name: 'Undocumented' })
  class UndocumentedDto {
    @ApiProperty()
    title!: string;
  }

  @Controller('photos')
  class PhotosController {
    @Post()
    @UseInterceptors(FileInterceptor('file'))
    @ApiConsumes('multipart/form-data')
    @ApiBody({ type: PhotoDto })
    add(@UploadedFile() file: object) {
      return file;
    }

    @Post('json')
    addJson(@Body() photo: PhotoDto) {
      return photo;
    }

    @Post('undocumented')
    addUndocumented(@Body() photo: UndocumentedDto) {
      return photo;
    }

    @Get()
    @ApiProduces('image/png')
    @ApiOkResponse({ schema: { type: 'string', format: 'binary' } })
    @ApiNotFoundResponse()
    find() {
      return '';
    }

    @Get('csv')
    @ApiProduces('text/csv')
    @ApiOkResponse({ type: PhotoDto })
    list() {
      return '';
    }

    @Get('problem')
    @ApiProduces('application/problem+json')
    @ApiOkResponse({ type: PetDto })
    findProblem() {
      return '';
    }
  }

  let document: OpenAPIObject;

  beforeAll(async () => {
    document = await createDocument(PhotosController);
  });

  it('has no example', () => {
    const schema = { $ref: '#/components/schemas/PhotoDto' };
    const { requestBody, responses } = getOperation(document, 'post /photos');
    expect(requestBody).toEqual({
      required: true,
      content: { 'multipart/form-data': { schema } },
    });
    expect(responses).toMatchObject({
      422: errorResponse(
        'The request is not valid.',
        [{ type: 'missing', loc: ['body', 'title'], msg: 'Field required', input: {} }],
        'HTTPValidationError',
      ),
    });
    expect(getResponses(document, 'get /photos')).toMatchObject({
      200: { content: { 'image/png': { schema: { type: 'string', format: 'binary' } } } },
      404: { $ref: '#/components/responses/NotFound' },
    });
    expect(getResponses(document, 'get /photos')).not.toHaveProperty([
      '200',
      'content',
      'image/png',
      'example',
    ]);
    expect(getResponses(document, 'get /photos/csv')).toMatchObject({
      200: { content: { 'text/csv': { schema } } },
    });
    expect(getResponses(document, 'get /photos/csv')).not.toHaveProperty([
      '200',
      'content',
      'text/csv',
      'example',
    ]);
  });

  it('has an example if its media type ends in +json', () => {
    expect(getResponses(document, 'get /photos/problem')).toMatchObject({
      200: { content: { 'application/problem+json': { example: { name: 'Rex', age: 3 } } } },
    });
  });

  it.each(['post /photos/json', 'post /photos/undocumented'])(
    'has no example in %s if a required property has none',
    (operation) => {
      expect(getOperation(document, operation).requestBody).toEqual({
        required: true,
        content: { 'application/json': { schema: expect.anything() as object } },
      });
    },
  );
});

describe('the operation ids', () => {
  it('have a suffix if controllers of different modules have the same name', async () => {
    const [cats, dogs] = ['pets/cats', 'pets/dogs'].map((path) => {
      @Controller(path)
      class PetsController {
        @Get()
        list() {
          return [];
        }

        @Get(':id')
        find() {
          return {};
        }

        @Post()
        @ApiExcludeEndpoint()
        @ApiOperation({ operationId: 'getReadiness' })
        hidden() {
          return {};
        }
      }
      return PetsController;
    });
    if (!cats || !dogs) throw new Error('Expected two controllers');
    const document = await createDocument(cats, dogs);
    expect(listIds(document)).toEqual({
      'get /pets/cats': 'listPetsCats',
      'get /pets/cats/{id}': 'findPetsCats',
      'get /pets/dogs': 'listPetsDogs',
      'get /pets/dogs/{id}': 'findPetsDogs',
    });
    expect(await findProblems(document)).toEqual([]);
    expect(listIds(document, '/system/')).toMatchObject({
      'get /system/healthz': 'checkLiveness',
      'get /system/readyz': 'getReadiness',
    });
  });

  it('have a suffix if a handler has several paths or versions', async () => {
    @Controller('pets')
    class PetsController {
      @Get(['', 'all', 'owners/:owner-id'])
      list() {
        return [];
      }

      @Get('new')
      @Version(['1', '2'])
      @ApiOperation({ operationId: 'getNewPets' })
      listNew() {
        return [];
      }

      @Get(['a-b', 'a/b'])
      listTwins() {
        return [];
      }
    }
    const { app } = await createTestApp({
      features: [createModule(PetsController)],
      prepare: (unready) => {
        unready.enableVersioning();
      },
    });
    const document = await fetchDocument(app);
    expect(listIds(document)).toEqual({
      'get /pets': 'listPets',
      'get /pets/all': 'listPetsAll',
      'get /pets/owners/{owner}-id': 'listPetsOwnersByOwnerId',
      'get /pets/a-b': 'listTwinsPetsAB',
      'get /pets/a/b': 'listTwinsPetsAB2',
      'get /v1/pets/new': 'getNewPetsV1',
      'get /v2/pets/new': 'getNewPetsV2',
    });
    expect(await findProblems(document)).toEqual([]);
  });

  it('have a suffix if controllers inherit a handler', async () => {
    abstract class AnimalsController {
      @Get()
      @ApiOperation({ operationId: 'listAnimals' })
      list() {
        return [];
      }
    }
    @Controller('pets/cats')
    class CatsController extends AnimalsController {}
    @Controller('pets/dogs')
    class DogsController extends AnimalsController {}
    expect(listIds(await createDocument(CatsController, DogsController))).toEqual({
      'get /pets/cats': 'listAnimalsCats',
      'get /pets/dogs': 'listAnimalsDogs',
    });
  });

  it.each([
    [
      'another author sets',
      'findPet',
      'The operation id findPet is used by CatsController.findCat and DogsController.findDog. Set another one with @ApiOperation({ operationId }).',
    ],
    [
      'the platform uses',
      'getReadiness',
      'The operation id getReadiness is used by CatsController.findCat and ReadinessController.getReadiness. Set another one with @ApiOperation({ operationId }).',
    ],
    [
      'another handler has by its name',
      'findBirdBirds',
      'The operation id findBirdBirds is used by BirdsController.findBird and CatsController.findCat. Set another one with @ApiOperation({ operationId }).',
    ],
  ])('abort start-up if an author sets one that %s', async (_, operationId, message) => {
    @Controller('pets/birds')
    class BirdsController {
      @Get()
      findBird() {
        return {};
      }
    }
    @Controller('pets/cats')
    class CatsController {
      @Get()
      @ApiOperation({ operationId })
      findCat() {
        return {};
      }
    }
    @Controller('pets/dogs')
    class DogsController {
      @Get()
      @ApiOperation({ operationId: 'findPet' })
      findDog() {
        return {};
      }
    }
    await expect(createDocument(BirdsController, CatsController, DogsController)).rejects.toThrow(
      message,
    );
  });
});
