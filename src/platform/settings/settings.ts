import { IsIn, IsOptional, IsString, Matches } from 'class-validator';
import {
  Flag,
  Origins,
  OtherPortThan,
  RequiresNode,
  TrustProxy,
  WholeNumber,
} from './setting.decorators.js';

/** A size such as `100kb`. */
export const BODY_LIMIT_PATTERN = /^([1-9]\d{0,7}b?|[1-9]\d{0,4}kb|[1-9]\d?mb)$/i;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * The settings of the platform: name, type, default and validation of each.
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

  /** TCP port for metrics and probes. Unset: the main port serves them. */
  @WholeNumber(0, 65_535)
  @OtherPortThan('PORT')
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
  @RequiresNode(22, 12)
  @Flag()
  REUSE_PORT: boolean = false;
}
