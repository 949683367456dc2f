import { applyDecorators } from '@nestjs/common';
import { ConfigModule, type ConfigService } from '@nestjs/config';
import { plainToInstance, Transform } from 'class-transformer';
import { IsIn, IsInt, Matches, Max, Min, validateSync } from 'class-validator';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** A whole number in decimal digits; the field holds a number, not the string of the environment. */
function WholeNumber(min: number, max: number) {
  const message = `expected a whole number from ${min} to ${max}`;
  return applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      /^\d+$/.test(String(value)) ? Number(value) : value,
    ),
    IsInt({ message }),
    Min(min, { message }),
    Max(max, { message }),
  );
}

/**
 * Every setting of the service: name, type, default and check. Each comes from the environment
 * variable of its name (or, for local work, from a `.env` file in the working directory; the
 * environment wins). Unset and empty mean the default.
 */
export class Settings {
  /** The TCP port it listens on. 0 lets the system choose a free one. */
  @WholeNumber(0, 65_535)
  PORT: number = 8000;

  /** The address it listens on: all IPv4 interfaces, unless it is set. */
  @Matches(/^[\w.:-]+$/, { message: 'expected an IP address or a host name' })
  HOST: string = '0.0.0.0';

  /** Records below this level are not written. */
  @IsIn(LOG_LEVELS, { message: `expected one of ${LOG_LEVELS.join(', ')}` })
  LOG_LEVEL: string = 'info';

  /** The largest request body, after decompression. A plain number is in bytes, 1kb is 1024. */
  @Matches(/^[1-9]\d*(b|kb|mb)?$/i, {
    message: 'expected a size such as 500b, 100kb or 2mb, at least 1 byte',
  })
  BODY_LIMIT: string = '100kb';
}

/** Gives a provider its settings: inject `ConfigService` under this type. */
export type Config = ConfigService<Settings, true>;

/**
 * Reads the settings out of an environment and checks them.
 *
 * @throws Error whose message has one line for each wrong variable: its name, what was expected,
 *   and what it held.
 */
export function readSettings(env: Record<string, unknown>): Settings {
  const given = Object.keys(new Settings())
    .filter((name) => env[name] !== undefined && env[name] !== '')
    .map((name) => [name, env[name]]);
  const settings = plainToInstance(Settings, Object.fromEntries(given));
  const errors = validateSync(settings);
  if (errors.length > 0) {
    throw new Error(
      errors
        .map(({ property, value, constraints }) => {
          const [expected] = Object.values(constraints ?? {});
          return `${property}: ${expected}, got ${JSON.stringify(value)}`;
        })
        .join('\n'),
    );
  }
  return settings;
}

/**
 * `@nestjs/config` with the checked settings, for the whole application. A `.env` file is a
 * convenience of local work, so the tests, which must not depend on it, do not read it.
 *
 * @throws Error as {@link readSettings} does, while the application's modules load.
 */
export const configModule = await ConfigModule.forRoot({
  isGlobal: true,
  ignoreEnvFile: process.env.NODE_ENV === 'test',
  validate: readSettings,
});
