import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { applyDecorators } from '@nestjs/common';
import { plainToInstance, Transform } from 'class-transformer';
import {
  IsBoolean,
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
import { StartupError } from '../startup-error.js';

/** A size such as `100kb`. */
export const BODY_LIMIT_PATTERN = /^([1-9]\d{0,7}b?|[1-9]\d{0,4}kb|[1-9]\d?mb)$/i;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Parses and validates a whole number in decimal digits. */
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

/** Parses and validates `true` or `false`. */
function Flag() {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      value === 'true' || value === 'false' ? value === 'true' : value,
    ),
    IsBoolean({ message: 'expected true or false' }),
  );
}

/** Parses and validates a value of Express's `trust proxy` setting. */
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
          'expected true, false, the number of proxies, or their addresses such as loopback,10.0.0.0/8',
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

/** Parses and validates a comma-separated list of origins, or `*`. */
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
 * The settings of the service: name, type, default and validation of each.
 *
 * Each setting is read from the environment variable of the same name. An unset or empty variable
 * means the default.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class PetService {
 *   constructor(private readonly settings: Settings) {}
 * }
 * ```
 */
export class Settings {
  /** TCP port to listen on. 0 lets the operating system choose a free port. */
  @WholeNumber(0, 65_535)
  PORT: number = 8000;

  /** Address to listen on. The default is every IPv4 interface. */
  @Matches(/^[\w.:-]+$/, { message: 'expected an IP address or a host name' })
  HOST: string = '0.0.0.0';

  /** TCP port of `/metrics`, and a second one of the probes and `/system/info`. Unset means `PORT`. */
  @WholeNumber(0, 65_535)
  @IsOptional()
  MANAGEMENT_PORT?: number;

  /** Whether `/docs`, `/openapi.json` and `/openapi.yaml` are served. */
  @Flag()
  DOCS: boolean = true;

  /** Minimum level of the records that are logged. */
  @IsIn(LOG_LEVELS, { message: `expected one of ${LOG_LEVELS.join(', ')}` })
  LOG_LEVEL: string = 'info';

  /** File to append the log to, reopened on SIGHUP. Unset means standard output. */
  @IsString()
  @IsOptional()
  LOG_FILE?: string;

  /** How long the log delivery check waits for its record to be written, in milliseconds. */
  @WholeNumber(1, 60_000)
  LOG_PROBE_TIMEOUT_MS: number = 1000;

  /** Maximum size of a request body after decompression: bytes, or a number with `kb` (1024) or `mb`. */
  @Matches(BODY_LIMIT_PATTERN, {
    message: 'expected a size from 1b to 99mb, such as 100kb',
  })
  BODY_LIMIT: string = '100kb';

  /** Origins that may call the API from a browser. Unset allows none, `*` allows every origin. */
  @Origins()
  @IsOptional()
  CORS_ORIGINS?: string[];

  /** Express's `trust proxy`: which proxies may set `X-Forwarded-*` headers. */
  @TrustProxy()
  TRUST_PROXY: boolean | number | string = false;

  /** Path prefix that a reverse proxy removes from requests, such as `/petsage`. Used in the OpenAPI document. */
  @Matches(/^(\/[\w.~-]+)+$/, {
    message: 'expected a path such as /petsage, without a slash at the end',
  })
  @IsOptional()
  ROOT_PATH?: string;

  /** How long requests are still accepted after SIGTERM, in milliseconds. */
  @WholeNumber(0, 600_000)
  SHUTDOWN_DELAY_MS: number = 5000;

  /** How long open requests may take after `SHUTDOWN_DELAY_MS`, in milliseconds. */
  @WholeNumber(0, 600_000)
  SHUTDOWN_TIMEOUT_MS: number = 20_000;

  /** Commit that was built. */
  @Matches(/^[\w.+/-]{1,128}$/, { message: 'expected a commit, such as 4f2a9c1' })
  GIT_REVISION: string = 'unknown';

  /** Lets several processes listen on the same port (`SO_REUSEPORT`). Requires Node.js 22.12 and Linux. */
  @Flag()
  REUSE_PORT: boolean = false;
}

/**
 * Parses and validates settings.
 *
 * @throws AggregateError with one error per invalid variable: its name, the expected value and the
 *   actual value. A single Error if the Node.js version does not support a setting, or if two ports are
 *   the same
 */
export function parseSettings(env: Record<string, string | undefined>): Settings {
  const variables = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  const settings = plainToInstance(Settings, Object.fromEntries(variables));
  const errors = validateSync(settings, { whitelist: true });
  if (errors.length > 0) {
    throw new AggregateError(
      errors.map(({ property, constraints }) => {
        const [expected] = Object.values(constraints ?? {});
        return new StartupError(`${property}: ${expected}, got ${JSON.stringify(env[property])}`);
      }),
      'Invalid settings',
    );
  }
  if (settings.MANAGEMENT_PORT === settings.PORT && settings.PORT !== 0) {
    throw new StartupError(
      `MANAGEMENT_PORT: expected a port other than PORT, got ${settings.PORT}`,
    );
  }
  if (settings.REUSE_PORT && !supportsReusePort()) {
    throw new StartupError(`REUSE_PORT: expected Node 22.12 or newer, got ${process.version}`);
  }
  return settings;
}

function supportsReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 12);
}

/**
 * Reads the settings from the environment and from a `.env` file in the working directory. The
 * environment takes precedence.
 *
 * @throws AggregateError as {@link parseSettings} does
 */
export function loadSettings(): Settings {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return parseSettings({ ...file, ...process.env });
}
