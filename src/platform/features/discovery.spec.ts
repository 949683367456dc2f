import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { discoverFeatures } from './discovery.js';

/** Returns the source of a feature module. */
function createFeature(name: string): string {
  return `
    import { Module } from '@nestjs/common';
    @Module({ controllers: [] })
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

  /**
   * Writes files, given by their paths in the features folder, and discovers the features.
   *
   * @throws Error of the discovery, with paths relative to the features folder
   */
  async function discover(files: Record<string, string>): Promise<string[]> {
    const folder = join(root, 'features');
    for (const [path, content] of Object.entries(files)) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
    try {
      const modules = await discoverFeatures(pathToFileURL(`${folder}/`));
      return modules.map(({ name }) => name);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(message.replaceAll(`${relative(process.cwd(), folder)}/`, ''));
    }
  }

  it('returns nothing when the features folder is missing', async () => {
    await rm(join(root, 'features'), { recursive: true });
    expect(await discover({})).toEqual([]);
  });

  it('returns the module of each folder, sorted by name, and ignores files', async () => {
    expect(
      await discover({
        'pet-profile/pet-profile.module.ts': createFeature('PetProfile'),
        'v2/v2.module.ts': createFeature('V2'),
        'diet/diet.module.ts': createFeature('Diet'),
        'README.md': '# Features',
      }),
    ).toEqual(['DietModule', 'PetProfileModule', 'V2Module']);
  });

  it.each(['Diet', 'pet_profile', '2fa', 'a--b', '-a', 'naïve', '.git'])(
    'rejects a folder named %s',
    async (name) => {
      await expect(discover({ [`${name}/x.ts`]: '' })).rejects.toThrow(
        `${name}: expected a feature folder in kebab-case such as pet-profile, found ${JSON.stringify(name)}`,
      );
    },
  );

  it('rejects a folder without a module file', async () => {
    await expect(discover({ 'diet/diet.service.ts': 'export const x = 1;' })).rejects.toThrow(
      'diet/diet.module.ts: expected this file to export the class DietModule, found no file',
    );
  });

  it('rejects a module file without the expected export', async () => {
    await expect(
      discover({ 'diet/diet.module.ts': 'export class Diet {} export const a = 1;' }),
    ).rejects.toThrow(
      'diet/diet.module.ts: expected an export of the class DietModule, found Diet, a',
    );
    await expect(discover({ 'care/care.module.ts': 'const a = 1;' })).rejects.toThrow(
      'care/care.module.ts: expected an export of the class CareModule, found no exports',
    );
  });

  it.each([
    ['export class DietModule {}', 'a class without module metadata'],
    ['export const DietModule = {};', 'a value of type object'],
    ['export const DietModule = () => 1;', 'a class without module metadata'],
  ])('rejects an export that is not a module: %s', async (content, found) => {
    await expect(discover({ 'diet/diet.module.ts': content })).rejects.toThrow(
      `diet/diet.module.ts: expected DietModule to be a class with @Module({ controllers: […] }), found ${found}`,
    );
  });

  it('rejects a module file that does not load', async () => {
    await expect(
      discover({ 'diet/diet.module.ts': 'throw new Error("no stove");' }),
    ).rejects.toThrow('diet/diet.module.ts: the file could not be imported: no stove');
  });
});
