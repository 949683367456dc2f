import { existsSync, readFileSync } from 'node:fs';

/** Name and version of the service, read from package.json. */
export const packageInfo = JSON.parse(readFileSync(findUp('package.json'), 'utf8')) as {
  name: string;
  version: string;
};

/** Searches the parent folders, because the sources, the build and the bundle differ in depth. */
function findUp(name: string): URL {
  let file = new URL(name, import.meta.url);
  while (!existsSync(file)) {
    const parent = new URL(`../${name}`, file);
    if (parent.href === file.href) {
      throw new Error(`${name} was not found in any parent folder of ${import.meta.url}`);
    }
    file = parent;
  }
  return file;
}
