import { applyDecorators } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { plainToInstance, Transform } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  ValidateBy,
  validateSync,
} from 'class-validator';
import express from 'express';

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

/** What Express's `trust proxy` takes: the field holds a boolean, a number, or the list as it is. */
function TrustProxy() {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => {
      if (value === 'true' || value === 'false') return value === 'true';
      return /^\d+$/.test(String(value)) ? Number(value) : value;
    }),
    ValidateBy(
      { name: 'trustProxy', validator: { validate: isTrustProxy } },
      {
        message:
          'expected true, false, the number of proxies in front, or their addresses such as loopback,10.0.0.0/8',
      },
    ),
  );
}

function isTrustProxy(value: unknown): boolean {
  try {
    express().set('trust proxy', value);
    return true;
  } catch {
    return false;
  }
}

/** Origins as browsers send them, separated by commas, or `*`; the field holds a list. */
function Origins() {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => {
      return typeof value === 'string' ? value.split(',').map((origin) => origin.trim()) : value;
    }),
    ValidateBy(
      { name: 'origins', validator: { validate: isOrigin } },
      {
        each: true,
        message: 'expected origins such as https://app.example.com, separated by commas, or *',
      },
    ),
  );
}

function isOrigin(value: unknown): boolean {
  const origin = String(value);
  return (
    origin === '*' ||
    (/^https?:[^*]+$/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin)
  );
}

/**
 * Every setting of the service: name, type, default and check. Each comes from the environment
 * variable of its name (or, for local work, from a `.env` file in the working directory; the
 * environment wins). Unset and empty mean the default. A provider injects them as
 * `ConfigService<Settings, true>`.
 */
export class Settings {
  /** The TCP port it listens on. 0 lets the system choose a free one. */
  @WholeNumber(0, 65_535)
  PORT: number = 8000;

  /** The address it listens on: all IPv4 interfaces, unless it is set. */
  @Matches(/^[\w.:-]+$/, { message: 'expected an IP address or a host name' })
  HOST: string = '0.0.0.0';

  /** Log records below this level are not written. */
  @IsIn(LOG_LEVELS, { message: `expected one of ${LOG_LEVELS.join(', ')}` })
  LOG_LEVEL: string = 'info';

  /** The file that the log is appended to, opened anew on SIGHUP. Unset is standard output. */
  @IsString()
  @IsOptional()
  LOG_FILE?: string;

  /** How long the check of the log waits until its record has left, in milliseconds. */
  @WholeNumber(1, 60_000)
  LOG_PROBE_TIMEOUT_MS: number = 1000;

  /** The largest request body, after decompression. A plain number is in bytes, 1kb is 1024. */
  @Matches(/^([1-9]\d{0,7}b?|[1-9]\d{0,4}kb|[1-9]\d?mb)$/i, {
    message: 'expected a size from 1b to 99mb, such as 100kb',
  })
  BODY_LIMIT: string = '100kb';

  /** The origins whose pages may call the API from a browser. Unset is none, `*` is every one. */
  @Origins()
  @IsOptional()
  CORS_ORIGINS?: string[];

  /** Which proxies are believed when they say whom they ask for: Express's `trust proxy`. */
  @TrustProxy()
  TRUST_PROXY: boolean | number | string = false;

  /** How long it goes on as before after SIGTERM, while balancers notice, in milliseconds. */
  @WholeNumber(0, 600_000)
  SHUTDOWN_DELAY_MS: number = 5000;

  /** How long the requests that are open may take after that, in milliseconds. */
  @WholeNumber(0, 600_000)
  SHUTDOWN_TIMEOUT_MS: number = 20_000;

  /** The commit that was built. */
  @Matches(/^[\w.+/-]{1,128}$/, { message: 'expected a commit, such as 4f2a9c1' })
  GIT_REVISION: string = 'unknown';
}

/**
 * Reads the settings out of an environment and checks them.
 *
 * @throws AggregateError with an error for each wrong variable: its name, what was expected, and
 *   what it held
 */
export function readSettings(env: Record<string, unknown>): Settings {
  const given = Object.entries(env).filter(([, value]) => value !== '');
  const settings = plainToInstance(Settings, Object.fromEntries(given));
  const errors = validateSync(settings, { whitelist: true });
  if (errors.length > 0) {
    throw new AggregateError(
      errors.map(({ property, constraints }) => {
        const [expected] = Object.values(constraints ?? {});
        return new Error(`${property}: ${expected}, got ${JSON.stringify(env[property])}`);
      }),
      'The settings are wrong',
    );
  }
  return settings;
}

/**
 * `@nestjs/config` with the checked settings, for the whole application. A `.env` file is a
 * convenience of local work, so the tests, which must not depend on it, do not read it.
 *
 * @throws AggregateError as {@link readSettings} does, while the application's modules load
 */
export const configModule = await ConfigModule.forRoot({
  isGlobal: true,
  ignoreEnvFile: process.env.NODE_ENV === 'test',
  validate: readSettings,
});

/** The same settings, for what is built before the modules are. */
export const settings = readSettings(process.env);
