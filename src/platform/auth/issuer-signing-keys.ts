import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { type AuthSettings, isSecureUrl } from './auth.settings.js';
import { KeysUnavailableError, SigningKeys } from './signing-keys.js';

/** Time limit of each request to the issuer. */
const REQUEST_TIMEOUT_MS = 5000;

/** Minimum time between two reads of the keys that tokens cause. */
const COOLDOWN_MS = 30_000;

/** Interval at which the keys are read again, so that keys which the issuer has removed are rejected. */
const REFRESH_INTERVAL_MS = 600_000;

/** How long keys are accepted that could not be read again. */
const MAX_AGE_MS = 86_400_000;

/** Reads the keys of `AUTH_ISSUER` when the first token is verified, and keeps the last ones that it could read. */
export class IssuerSigningKeys extends SigningKeys implements OnModuleInit, OnApplicationShutdown {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: string[];
  private readonly logger = new Logger(IssuerSigningKeys.name);
  private readonly configuredUrl: string | undefined;
  /** URL of the keys in the discovery document. Unset after an error, to read the document again. */
  private discoveredUrl: string | undefined;
  private keys: ReturnType<typeof createLocalJWKSet> | undefined;
  /** Time at which {@link keys} were read, as `performance.now()`. */
  private loadedAt = -Infinity;
  /** Time at which the last attempt to read the keys started, as `performance.now()`. */
  private attemptedAt = -Infinity;
  private error: unknown;
  private loading: Promise<void> | undefined;
  private refreshTimer: NodeJS.Timeout | undefined;

  constructor({
    AUTH_ISSUER = '',
    AUTH_AUDIENCE = '',
    AUTH_JWKS_URL,
    AUTH_ALGORITHMS,
  }: AuthSettings) {
    super();
    this.issuer = AUTH_ISSUER;
    this.audience = AUTH_AUDIENCE;
    this.algorithms = AUTH_ALGORITHMS;
    this.configuredUrl = AUTH_JWKS_URL;
  }

  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    if (performance.now() - this.loadedAt > MAX_AGE_MS) await this.reload();
    try {
      return await this.findKey(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The issuer may have added the key since.
      await this.reload();
      if (this.error !== undefined) throw this.createUnavailableError(this.error);
      return this.findKey(header, token);
    }
  };

  onModuleInit(): void {
    // Not in a request, whose context the timer would keep in memory.
    this.refreshTimer = setInterval(() => {
      if (this.keys !== undefined) void this.reload();
    }, REFRESH_INTERVAL_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.refreshTimer);
  }

  private findKey(...args: Parameters<JWTVerifyGetKey>): ReturnType<JWTVerifyGetKey> {
    if (this.keys === undefined || performance.now() - this.loadedAt > MAX_AGE_MS) {
      throw this.createUnavailableError(this.error);
    }
    return this.keys(...args);
  }

  private createUnavailableError(cause: unknown): KeysUnavailableError {
    return new KeysUnavailableError(`The keys of ${this.issuer} could not be read`, { cause });
  }

  /** Reads the keys, unless the last attempt started less than {@link COOLDOWN_MS} ago. Does not throw. */
  private async reload(): Promise<void> {
    if (this.loading === undefined && performance.now() - this.attemptedAt >= COOLDOWN_MS) {
      this.loading = this.load();
    }
    await this.loading;
  }

  private async load(): Promise<void> {
    this.attemptedAt = performance.now();
    try {
      const url = this.configuredUrl ?? (this.discoveredUrl ??= await this.discoverUrl());
      const set = (await readJson(url)) as JSONWebKeySet;
      const keys = createLocalJWKSet(set);
      if (set.keys.length === 0) throw new Error(`${url}: expected at least one key`);
      this.keys = keys;
      this.loadedAt = performance.now();
      this.error = undefined;
    } catch (error) {
      this.discoveredUrl = undefined;
      this.error = error;
      this.logger.warn({ err: error }, `The keys of ${this.issuer} could not be read`);
    } finally {
      this.loading = undefined;
    }
  }

  private async discoverUrl(): Promise<string> {
    const url = `${this.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const { issuer, jwks_uri: keysUrl } = (await readJson(url)) as Record<string, unknown>;
    if (issuer !== this.issuer) {
      throw new Error(
        `${url}: expected the issuer ${this.issuer}, found ${JSON.stringify(issuer)}. Set AUTH_ISSUER to this value.`,
      );
    }
    if (!isSecureUrl(keysUrl)) throw new Error(`${url}: expected an https URL in jwks_uri`);
    return String(keysUrl);
  }
}

async function readJson(url: string): Promise<object> {
  const response = await fetch(url, {
    headers: { Accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`${url}: expected status 200, got ${response.status}`);
  }
  try {
    return Object(await response.json()) as object;
  } catch (error) {
    throw new Error(`${url}: expected JSON`, { cause: error });
  }
}
