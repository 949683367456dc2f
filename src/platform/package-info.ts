import { existsSync, readFileSync } from 'node:fs';

/** The service's name and version, as package.json has them: no second place to change. */
export const packageInfo = JSON.parse(readFileSync(findUp('package.json'), 'utf8')) as {
  name: string;
  version: string;
};

/**
 * The bundle, the build and the sources have this file in folders of different depth.
 *
 * @throws Error when no folder above has the file
 */
function findUp(name: string): URL {
  let file = new URL(name, import.meta.url);
  while (!existsSync(file)) {
    const above = new URL(`../${name}`, file);
    if (above.href === file.href) {
      throw new Error(`${name}: expected it in a folder above ${import.meta.url}, found none`);
    }
    file = above;
  }
  return file;
}
