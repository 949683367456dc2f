import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { discoverFeatures } from './discovery.js';

/** The module of a feature with one controller, in one file. */
function feature(
  name: string,
  { route = name.toLowerCase(), dto = `${name}Dto`, handler = `@Get(['', 'all'])` } = {},
): string {
  return `
    import { All, Body, Controller, Get, Module, Post } from '@nestjs/common';
    import { ApiOkResponse, ApiProperty } from '@nestjs/swagger';
    class ${dto} {
      @ApiProperty() x: string;
    }
    class ${name}List {
      @ApiProperty({ type: () => [${dto}] }) items: ${dto}[];
    }
    @Controller('${route}')
    class ${name}Controller {
      ${handler} @ApiOkResponse({ type: ${name}List }) list() {}
    }
    @Module({ controllers: [${name}Controller] })
    export class ${name}Module {}`;
}

describe('discoverFeatures', () => {
  let root: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'petsage-features-'));
    await symlink(resolve('node_modules'), join(root, 'node_modules'));
    await mkdir(join(root, 'features'));
  });

  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  /** Finds the features among files, each given by its path in the folder of features. */
  async function discover(files: Record<string, string>): Promise<string[]> {
    for (const [path, content] of Object.entries(files)) {
      const file = join(root, 'features', path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
    const modules = await discoverFeatures(pathToFileURL(join(root, 'features/')));
    return modules.map(({ name }) => name);
  }

  /** A message with the paths as they are in the folder of features. */
  async function refusalOf(files: Record<string, string>): Promise<string> {
    const features = `${relative(process.cwd(), join(root, 'features'))}/`;
    const found = await discover(files).catch((error: unknown) => error);
    return found instanceof Error ? found.message.replaceAll(features, '') : String(found);
  }

  it('finds nothing where there is no folder of features', async () => {
    await rm(join(root, 'features'), { recursive: true });
    expect(await discover({})).toEqual([]);
  });

  it('finds each folder, in the order of their names, and passes over files', async () => {
    expect(
      await discover({
        'pet-profile/pet-profile.module.ts': feature('PetProfile'),
        'v2/v2.module.ts': feature('V2'),
        'diet/diet.module.ts': feature('Diet'),
        'README.md': '# Features',
      }),
    ).toEqual(['DietModule', 'PetProfileModule', 'V2Module']);
  });

  it.each(['Diet', 'pet_profile', '2fa', 'a--b', '-a', 'naïve', '.git'])(
    'refuses a folder named %s',
    async (name) => {
      expect(await refusalOf({ [`${name}/x.ts`]: '' })).toBe(
        `${name}: expected a feature folder in kebab-case such as pet-profile, found ${JSON.stringify(name)}`,
      );
    },
  );

  it('refuses a folder without the module file', async () => {
    expect(await refusalOf({ 'diet/diet.service.ts': 'export const x = 1;' })).toBe(
      'diet/diet.module.ts: expected this file to export the class DietModule, found no file',
    );
  });

  it('refuses a module file that exports something else', async () => {
    expect(
      await refusalOf({ 'diet/diet.module.ts': 'export class Diet {} export const a = 1;' }),
    ).toBe('diet/diet.module.ts: expected an export of the class DietModule, found Diet, a');
    expect(await refusalOf({ 'care/care.module.ts': 'const a = 1;' })).toBe(
      'care/care.module.ts: expected an export of the class CareModule, found no exports',
    );
  });

  it.each([
    ['export class DietModule {}', 'a class without module metadata'],
    ['export const DietModule = {};', 'a value of type object'],
    ['export const DietModule = () => 1;', 'a class without module metadata'],
  ])('refuses an export that is no module: %s', async (content, found) => {
    expect(await refusalOf({ 'diet/diet.module.ts': content })).toBe(
      `diet/diet.module.ts: expected DietModule to be a class with @Module({ controllers: […] }), found ${found}`,
    );
  });

  it('refuses a module file that does not load', async () => {
    expect(await refusalOf({ 'diet/diet.module.ts': 'throw new Error("no stove");' })).toBe(
      'diet/diet.module.ts: the file could not be imported: no stove',
    );
  });

  it('refuses the name of a DTO that the platform has', async () => {
    expect(
      await refusalOf({ 'cats/cats.module.ts': feature('Cats', { dto: 'ValidationError' }) }),
    ).toBe(
      'cats/cats.module.ts: the DTO name ValidationError is already used in the platform. Rename the class, or its @ApiSchema().',
    );
  });

  it('lets two features share a path under different methods', async () => {
    expect(
      await discover({
        'cats/cats.module.ts': feature('Cats'),
        'dogs/dogs.module.ts': feature('Dogs', { route: 'cats', handler: '@Post()' }),
      }),
    ).toEqual(['CatsModule', 'DogsModule']);
  });

  it('refuses two features that claim one name of a DTO', async () => {
    expect(
      await refusalOf({
        'cats/cats.module.ts': feature('Cats', { dto: 'Pet' }),
        'dogs/dogs.module.ts': feature('Dogs', { dto: 'Pet' }),
      }),
    ).toBe(
      'dogs/dogs.module.ts: the DTO name Pet is already used in cats/cats.module.ts. Rename the class, or its @ApiSchema().',
    );
  });
});
