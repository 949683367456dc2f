import { IsString } from 'class-validator';

/** Values of `NODE_ENV` with which the service may replace what it needs by something of its own. */
const DEVELOPMENT_ENVIRONMENTS = ['development', 'test'];

/** Settings of modules that replace what they need, such as an identity provider or a database, in development. */
export class DevelopmentSettings {
  /** The environment. `development` and `test` allow to run without an identity provider and a database. */
  @IsString()
  NODE_ENV: string = 'development';

  /** Folder of the files that the service creates in development. */
  @IsString()
  DATA_DIR: string = './data';
}

export function isDevelopment({ NODE_ENV }: DevelopmentSettings): boolean {
  return DEVELOPMENT_ENVIRONMENTS.includes(NODE_ENV);
}
