import { readFileSync } from 'node:fs';

/** Name and version of the service, read from package.json. */
export const packageInfo = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { name: string; version: string };
