import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { StartupError } from '../startup-error.js';
import { assertUniqueSchemaNames } from './conflicts.js';
import type { Feature } from './feature.js';

/**
 * Imports the module of each feature: the folder `pet-profile/` must contain `pet-profile.module.ts`,
 * which exports the class `PetProfileModule`.
 *
 * @param directory URL of the folder that contains the features, with a trailing `/`. It may not exist
 * @returns the modules, sorted by the names of their folders
 * @throws Error with the file, what was expected and what was found, if a folder is not a valid feature
 *   or if two features conflict
 */
export async function discoverFeatures(directory: URL): Promise<Type[]> {
  // In watch mode the output still contains deleted features, and lacks folders without TypeScript files.
  const sources = new URL('../../src/features/', directory);
  const names = await readFolderNames(existsSync(sources) ? sources : directory);
  const features: Feature[] = [];
  for (const name of names) features.push(await loadFeature(name, directory));
  assertUniqueSchemaNames(features);
  return features.map(({ module }) => module);
}

async function readFolderNames(directory: URL): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name)
    .sort();
}

async function loadFeature(name: string, directory: URL): Promise<Feature> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    const folder = toRelativePath(new URL(encodeURIComponent(name), directory));
    throw new StartupError(
      `${folder}: expected a feature folder in kebab-case such as pet-profile, found ${JSON.stringify(name)}`,
    );
  }
  const className = `${name.replace(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}Module`;
  // jest imports the TypeScript sources.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const url = new URL(`${name}/${name}.module.${extension}`, directory);
  const file = toRelativePath(url);
  if (!existsSync(url)) {
    throw new StartupError(
      `${file}: expected this file to export the class ${className}, found no file`,
    );
  }
  const exports = await importModule(url);
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
  return { module, file };
}

async function importModule(url: URL): Promise<Record<string, unknown>> {
  try {
    return (await import(url.href)) as Record<string, unknown>;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${toRelativePath(url)}: the file could not be imported: ${message}`, {
      cause: error,
    });
  }
}

function toRelativePath(url: URL): string {
  return relative(process.cwd(), fileURLToPath(url));
}

/** `@Module()` only stores the properties of its argument as metadata. */
function isNestModule(value: unknown): value is Type {
  return (
    typeof value === 'function' &&
    Object.values(MODULE_METADATA).some((key) => Reflect.hasOwnMetadata(key, value))
  );
}
