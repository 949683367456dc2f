import {
  Controller,
  Get,
  Module,
  type ModuleMetadata,
  Post,
  type Type,
  Version,
} from '@nestjs/common';
import {
  ApiExcludeEndpoint,
  ApiOperation,
  type OpenAPIObject,
  type OperationObject,
} from '@nestjs/swagger';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import request from 'supertest';
import { createTestApp, type TestApp } from './fixtures/app.js';

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
