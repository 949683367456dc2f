import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { StartupError } from '../startup-error.js';
import { assertUniqueSchemaNames } from './conflicts.js';
import type { Feature } from './feature.js';

type Exports = Record<string, unknown>;

/** The exports of the features of the bundle by the names of their folders, sorted. */
type BundledFeatures = Partial<Record<string, Exports>>;

let bundledFeature: string | undefined;

/** Called by the bundle before it runs each feature: see scripts/bundle.js. */
export function startBundledFeature(name: string): void {
  bundledFeature = name;
}

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
  const folder = relative(process.cwd(), fileURLToPath(directory));
  const bundle = await importBundle(new URL('../features.js', directory), folder);
  // In watch mode the output still contains deleted features, and lacks folders without TypeScript files.
  const sources = new URL('../../src/features/', directory);
  const names =
    bundle && !existsSync(sources)
      ? Object.keys(bundle)
      : await readFolderNames(existsSync(sources) ? sources : directory);
  const features: Feature[] = [];
  for (const name of names) features.push(await loadFeature(name, directory, folder, bundle));
  assertUniqueSchemaNames(features);
  return features.map(({ module }) => module);
}

async function importBundle(url: URL, folder: string): Promise<BundledFeatures | undefined> {
  if (!existsSync(url)) return undefined;
  try {
    const { features } = (await import(url.href)) as { features: BundledFeatures };
    return features;
  } catch (error) {
    if (bundledFeature === undefined) throw error;
    throw createImportError(join(folder, getModulePath(bundledFeature)), error);
  }
}

async function readFolderNames(directory: URL): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name)
    .sort();
}

async function loadFeature(
  name: string,
  directory: URL,
  folder: string,
  bundle: BundledFeatures | undefined,
): Promise<Feature> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new StartupError(
      `${join(folder, name)}: expected a feature folder in kebab-case such as pet-profile, found ${JSON.stringify(name)}`,
    );
  }
  const className = `${name.replace(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}Module`;
  const path = getModulePath(name);
  const file = join(folder, path);
  const exports = bundle ? bundle[name] : await importModule(new URL(path, directory), file);
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
  return { module, file };
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
    throw createImportError(file, error);
  }
}

function createImportError(file: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${file}: the file could not be imported: ${message}`, { cause });
}

/** `@Module()` only stores the properties of its argument as metadata. */
function isNestModule(value: unknown): value is Type {
  return (
    typeof value === 'function' &&
    Object.values(MODULE_METADATA).some((key) => Reflect.hasOwnMetadata(key, value))
  );
}
