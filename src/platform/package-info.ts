import { readFileSync } from 'node:fs';

/** The service's name and version, as package.json has them: no second place to change. */
export const packageInfo = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { name: string; version: string };
