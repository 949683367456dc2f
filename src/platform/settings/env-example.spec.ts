import { readdirSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { Type } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { parseSettings } from './parse-settings.js';

const PLATFORM = new URL('../', import.meta.url);

const [platformText = '', ...featureTexts] = readFileSync('.env.example', 'utf8').split(
  '# Settings of the features in src/features\n',
);
const example = parseEnv(platformText) as Record<string, string>;

/** Imports the settings classes of the platform, which are in the files `settings.ts` and `*.settings.ts`. */
async function importClasses(): Promise<Type<object>[]> {
  const files = readdirSync(PLATFORM, { recursive: true, encoding: 'utf8' });
  const modules = files
    .filter((file) => /(^|[\\/.])settings\.ts$/.test(file))
    .map((file) => new URL(file.replaceAll('\\', '/'), PLATFORM).href)
    .map((url) => import(url) as Promise<Record<string, Type<object>>>);
  const exports = (await Promise.all(modules)).flatMap((module) => Object.values(module));
  return exports.filter((value) => listNames(value).length > 0);
}

/** Lists the properties of a class that have a decorator of class-validator. */
function listNames(type: Type<object>): string[] {
  return getMetadataStorage()
    .getTargetValidationMetadatas(type, '', false, false)
    .map(({ propertyName }) => propertyName);
}

describe('.env.example', () => {
  it('has the settings of the platform in a section of their own', async () => {
    const names = new Set((await importClasses()).flatMap(listNames));
    expect(Object.keys(example).toSorted()).toEqual([...names].toSorted());
    expect(featureTexts).toHaveLength(1);
  });

  it('has the defaults of the platform', async () => {
    const classes = await importClasses();
    expect(parseSettings(example, classes)).toEqual(parseSettings({}, classes));
  });
});
