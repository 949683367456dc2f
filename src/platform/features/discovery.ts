import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { StartupError } from '../startup-error.js';

type Exports = Record<string, unknown>;

/**
 * Imports the module of each feature. For example, the folder `pet-profile/` must contain the file
 * `pet-profile.module.ts`, and this file must export the class `PetProfileModule`.
 *
 * @param directory URL of the folder that contains the features, with a trailing `/`. If it does not exist, there are
 *   no features
 * @returns the modules, sorted by the names of their folders
 * @throws Error that names the file, what was expected, and what was found, if a folder is not a valid feature
 */
export async function discoverFeatures(directory: URL): Promise<Type[]> {
  const folder = relative(process.cwd(), fileURLToPath(directory));
  // In watch mode, the compiler's output still contains deleted features, and lacks folders without TypeScript files.
  const sources = new URL('../../src/features/', directory);
  const features: Type[] = [];
  for (const name of await readFolderNames(existsSync(sources) ? sources : directory)) {
    features.push(await loadFeature(name, directory, folder));
  }
  return features;
}

async function readFolderNames(directory: URL): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name)
    .sort();
}

async function loadFeature(name: string, directory: URL, folder: string): Promise<Type> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new StartupError(
      `${join(folder, name)}: expected a feature folder in kebab-case such as pet-profile, found ${JSON.stringify(name)}`,
    );
  }
  const className = `${name.replace(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}Module`;
  const path = getModulePath(name);
  const file = join(folder, path);
  const exports = await importModule(new URL(path, directory), file);
  if (exports === undefined) {
    throw new StartupError(
      `${file}: expected this file to export the class ${className}, found no file`,
    );
  }
  if (!(className in exports)) {
    const found = Object.keys(exports).join(', ') || 'no exports';
    throw new StartupError(`${file}: expected an export of the class ${className}, found ${found}`);
  }
  const module = exports[className];
  if (!isNestModule(module)) {
    const found =
      typeof module === 'function'
        ? 'a class without module metadata'
        : `a value of type ${typeof module}`;
    throw new StartupError(
      `${file}: expected ${className} to be a class with @Module({ controllers: […] }), found ${found}`,
    );
  }
  return module;
}

/** Returns the path of a feature's module, relative to the folder that contains the features. */
function getModulePath(name: string): string {
  // jest imports the TypeScript sources.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return `${name}/${name}.module.${extension}`;
}

async function importModule(url: URL, file: string): Promise<Exports | undefined> {
  if (!existsSync(url)) return undefined;
  try {
    return (await import(url.href)) as Exports;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${file}: the file could not be imported: ${message}`, { cause: error });
  }
}

/** `@Module()` only stores the properties of its argument as metadata. */
function isNestModule(value: unknown): value is Type {
  return (
    typeof value === 'function' &&
    Object.values(MODULE_METADATA).some((key) => Reflect.hasOwnMetadata(key, value))
  );
}
