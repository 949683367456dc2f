import { existsSync, readFileSync } from 'node:fs';

/** The service's name and version, as package.json has them: no second place to change. */
export const packageInfo = JSON.parse(readFileSync(findUp('package.json'), 'utf8')) as {
  name: string;
  version: string;
};

/** The bundle, the build and the sources have this file in folders of different depth. */
function findUp(name: string): URL {
  let file = new URL(name, import.meta.url);
  while (!existsSync(file)) file = new URL(`../${name}`, file);
  return file;
}
