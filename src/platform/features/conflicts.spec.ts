import { randomUUID } from 'node:crypto';
import {
  Body,
  Controller,
  createParamDecorator,
  Get,
  Module,
  Param,
  Post,
  Query,
  type Type,
} from '@nestjs/common';
import {
  ApiBody,
  ApiExcludeController,
  ApiExcludeEndpoint,
  ApiExtraModels,
  ApiOkResponse,
  ApiProperty,
  ApiQuery,
  ApiSchema,
  DocumentBuilder,
  PartialType,
  SwaggerModule,
} from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { assertUniqueSchemaNames } from './conflicts.js';

const CurrentPet = createParamDecorator(() => undefined);

/** Creates a new DTO class. All of them have the same name. */
function createPet(): Type {
  class Pet {
    @ApiProperty()
    name!: string;
  }
  return Pet;
}

/** Creates a controller whose only handler takes a value of the type `dto`. */
function createController(decorator: ParameterDecorator, dto: Type): Type {
  @Controller()
  class PetController {
    @Post()
    add(value: unknown) {
      return value;
    }
  }
  decorator(PetController.prototype, 'add', 0);
  Reflect.defineMetadata('design:paramtypes', [dto], PetController.prototype, 'add');
  return PetController;
}

/** Creates a controller with a decorator on its only handler. */
function createDecorated(decorator: MethodDecorator): Type {
  @Controller()
  class PetController {
    @Get()
    @decorator
    find() {
      return {};
    }
  }
  return PetController;
}

function createParent(options: Parameters<typeof ApiProperty>[0]): Type {
  class Owner {
    @ApiProperty(options)
    pet!: unknown;
  }
  return Owner;
}

/** Creates a controller whose handler takes a DTO with a property from the query, which is no schema itself. */
function createWithProperty(options: Parameters<typeof ApiProperty>[0]): Type {
  return createController(Query(), createParent(options));
}

const DOCUMENTED: [title: string, create: () => Type][] = [
  ['a body', () => createController(Body(), createPet())],
  ['a named query parameter', () => createController(Query('pet'), createPet())],
  ['@ApiBody()', () => createDecorated(ApiBody({ type: createPet() }))],
  ['@ApiBody() with a list', () => createDecorated(ApiBody({ type: [createPet()] }))],
  ['@ApiQuery()', () => createDecorated(ApiQuery({ name: 'pet', type: createPet() }))],
  ['@ApiOkResponse()', () => createDecorated(ApiOkResponse({ type: createPet() }))],
  ['@ApiExtraModels()', () => createDecorated(ApiExtraModels(createPet()))],
  [
    'a response of the controller',
    () => ApiOkResponse({ type: createPet() })(createDecorated(() => undefined)) as unknown as Type,
  ],
  [
    '@ApiExtraModels() of the controller',
    () => {
      const controller = createDecorated(() => undefined);
      ApiExtraModels(createPet())(controller);
      return controller;
    },
  ],
  ['a property', () => createWithProperty({ type: createPet() })],
  ['a property with a list', () => createWithProperty({ type: [createPet()] })],
  [
    'a property with a lazy type',
    () => {
      const pet = createPet();
      return createWithProperty({ type: () => [pet] });
    },
  ],
  ['an inline schema', () => createWithProperty({ type: { pet: { type: createPet() } } as never })],
  [
    'a mapped type',
    () =>
      createController(
        Query(),
        PartialType(createParent({ type: createPet() }) as Type<{ pet: unknown }>),
      ),
  ],
  [
    '@ApiExtraModels() of a DTO',
    () => {
      class Owner {}
      // Only the name of its extra model is the same in both features.
      ApiSchema({ name: randomUUID() })(Owner);
      ApiExtraModels(createPet())(Owner);
      return createWithProperty({ type: Owner });
    },
  ],
];

const NOT_DOCUMENTED: [title: string, create: () => Type][] = [
  ['a query DTO', () => createController(Query(), createPet())],
  ['a path DTO', () => createController(Param(), createPet())],
  ['a parameter of its own decorator', () => createController(CurrentPet(), createPet())],
  ['a property of the body', () => createController(Body('pet'), createPet())],
  [
    'a body that @ApiBody() replaces',
    () => {
      const controller = createController(Body(), createPet());
      const handler = Object.getOwnPropertyDescriptor(controller.prototype, 'add');
      ApiBody({ type: String })(controller.prototype as object, 'add', handler ?? {});
      return controller;
    },
  ],
  [
    '@ApiExcludeController()',
    () => {
      const controller = createController(Body(), createPet());
      ApiExcludeController()(controller);
      return controller;
    },
  ],
  [
    '@ApiExcludeEndpoint()',
    () => {
      const controller = createController(Body(), createPet());
      const handler = Object.getOwnPropertyDescriptor(controller.prototype, 'add');
      ApiExcludeEndpoint()(controller.prototype as object, 'add', handler ?? {});
      return controller;
    },
  ],
];

function createFeature(controller: Type, name: string) {
  @Module({ controllers: [controller] })
  class FeatureModule {}
  return { module: FeatureModule, file: `${name}.module.js` };
}

/** Lists the schemas in the document of `@nestjs/swagger`. */
async function listSchemas({ module }: { module: Type }): Promise<string[]> {
  const testingModule = await Test.createTestingModule({ imports: [module] }).compile();
  const app = testingModule.createNestApplication();
  const { components } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  return Object.keys(components?.schemas ?? {});
}

describe('assertUniqueSchemaNames', () => {
  it.each(DOCUMENTED)('rejects two classes of one name in %s', async (_, create) => {
    const features = [createFeature(create(), 'cats'), createFeature(create(), 'dogs')];
    expect(() => {
      assertUniqueSchemaNames(features);
    }).toThrow(
      'dogs.module.js: the DTO name Pet is already used in cats.module.js. Rename the class, or its @ApiSchema().',
    );
    expect(await listSchemas(createFeature(create(), 'cats'))).toContain('Pet');
  });

  it.each(NOT_DOCUMENTED)('accepts two classes of one name in %s', async (_, create) => {
    const features = [createFeature(create(), 'cats'), createFeature(create(), 'dogs')];
    expect(() => {
      assertUniqueSchemaNames(features);
    }).not.toThrow();
    expect(await listSchemas(createFeature(create(), 'cats'))).not.toContain('Pet');
  });

  it('uses the last name of @ApiSchema(), which subclasses do not inherit', async () => {
    @ApiSchema({ name: 'PetRequest' })
    @ApiSchema({ name: 'Pet' })
    class PetRequestDto {
      @ApiProperty()
      name!: string;
    }
    class UpdatePetDto extends PetRequestDto {}
    const feature = createFeature(
      createDecorated(ApiExtraModels(PetRequestDto, UpdatePetDto, createPet())),
      'pets',
    );
    expect(() => {
      assertUniqueSchemaNames([feature]);
    }).not.toThrow();
    expect(await listSchemas(feature)).toEqual(['PetRequest', 'UpdatePetDto', 'Pet']);
  });

  it('rejects two enums of one name with different values', () => {
    const [cats, moreCats, dogs] = [['a', 'b'], ['a', 'b'], ['a']].map((values) =>
      createFeature(createWithProperty({ enum: values, enumName: 'Status' }), values.join()),
    );
    if (!cats || !moreCats || !dogs) throw new Error('Expected three features');
    expect(() => {
      assertUniqueSchemaNames([cats, moreCats]);
    }).not.toThrow();
    expect(() => {
      assertUniqueSchemaNames([cats, dogs]);
    }).toThrow(
      'a.module.js: the enum name Status is already used in a,b.module.js. Rename its enumName.',
    );
  });
});
