import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { rejectClashes } from './feature-clashes.js';

/** A feature that was found: its module and the file that the module is in. */
export interface Feature {
  module: Type;
  file: string;
}

/**
 * Finds the features: each folder `<name>/` of `directory` (in kebab-case) has a file
 * `<name>.module` that exports the class `<Name>Module`. To add a feature is to add its folder;
 * nothing else is edited.
 *
 * @param directory URL of the folder of features, ending in `/`; it may be missing
 * @returns the features' modules, in the order of their folders' names
 * @throws Error with a sentence for the author: the file, what was expected and what was found, for
 *   a folder that is no feature, and for two classes that claim one route or one DTO name
 */
export async function discoverFeatures(directory: URL): Promise<Type[]> {
  // A build keeps what was deleted from the sources while it watched, and has no folder for one
  // that has nothing to compile: where the sources are at hand, they say which features there are.
  const sources = new URL('../../src/features/', directory);
  const names = await foldersIn(existsSync(sources) ? sources : directory);
  const features: Feature[] = [];
  for (const name of names) features.push(await load(name, directory));
  rejectClashes(features);
  return features.map(({ module }) => module);
}

async function foldersIn(directory: URL): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name)
    .sort();
}

async function load(name: string, directory: URL): Promise<Feature> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    const folder = pathOf(new URL(encodeURIComponent(name), directory));
    throw new Error(
      `${folder}: expected a feature's folder, named in kebab-case such as pet-profile, found ${JSON.stringify(name)}`,
    );
  }
  const expected = `${name.replace(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}Module`;
  // The sources under jest, the build everywhere else.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const url = new URL(`${name}/${name}.module.${extension}`, directory);
  const file = pathOf(url);
  if (!existsSync(url)) {
    throw new Error(`${file}: expected this file, with the class ${expected}, found none`);
  }
  const exported = await importFrom(url);
  if (!(expected in exported)) {
    const found = Object.keys(exported).join(', ') || 'nothing';
    throw new Error(`${file}: expected it to export the class ${expected}, found ${found}`);
  }
  const module = exported[expected];
  if (!isModule(module)) {
    throw new Error(
      `${file}: expected ${expected} to be a class with @Module({ controllers: […] }), found ${typeof module === 'function' ? 'a class that declares nothing' : `a value of type ${typeof module}`}`,
    );
  }
  return { module, file };
}

async function importFrom(url: URL): Promise<Record<string, unknown>> {
  try {
    return (await import(url.href)) as Record<string, unknown>;
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new Error(`${pathOf(url)}: expected a file that loads, found ${found}`, { cause: error });
  }
}

function pathOf(url: URL): string {
  return relative(process.cwd(), fileURLToPath(url));
}

/** `@Module()` leaves no other mark than what it declares. */
function isModule(value: unknown): value is Type {
  return (
    typeof value === 'function' &&
    Object.values(MODULE_METADATA).some((key) => Reflect.hasOwnMetadata(key, value))
  );
}
