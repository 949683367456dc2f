import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OnModuleInit } from '@nestjs/common';
import {
  type CryptoKey,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { StartupError } from '../startup-error.js';
import { SigningKeys } from './signing-keys.js';

const KEY_FILE = 'auth-key.json';
const ALGORITHM = 'EdDSA';

type SigningKey = CryptoKey | Uint8Array;

/** What a token says about its user. */
export interface TokenOptions {
  sub: string;
  /** Scopes, separated by spaces. */
  scope?: string;
  /** Lifetime such as `8h`. */
  expiresIn?: string;
}

/** An issuer for development and tests, with a key in `DATA_DIR`. */
export class DevelopmentSigningKeys extends SigningKeys implements OnModuleInit {
  readonly issuer = 'petsage-development';
  readonly audience = 'petsage-api';
  readonly algorithms = [ALGORITHM];
  private privateKey: SigningKey | undefined;
  private publicKey: SigningKey | undefined;

  constructor(private readonly directory: string) {
    super();
  }

  readonly getKey = (): SigningKey => {
    if (this.publicKey === undefined) throw new errors.JWKSNoMatchingKey();
    return this.publicKey;
  };

  /**
   * Reads the key, or creates it if there is none.
   *
   * @throws StartupError if `DATA_DIR` cannot be read or written
   */
  async onModuleInit(): Promise<void> {
    try {
      const jwk = (await readKey(this.directory)) ?? (await createKey(this.directory));
      this.privateKey = await importJWK(jwk, ALGORITHM);
      this.publicKey = await importJWK({ kty: jwk.kty, crv: jwk.crv, x: jwk.x }, ALGORITHM);
    } catch (error) {
      const { message } = error as Error;
      throw new StartupError(
        `The key for tokens of development cannot be read: ${message}. Set DATA_DIR to a folder that can be written, or AUTH_ISSUER.`,
        { cause: error },
      );
    }
  }

  /** Creates a token that this service accepts. */
  async createToken({ sub, scope = '', expiresIn = '8h' }: TokenOptions): Promise<string> {
    if (this.privateKey === undefined) throw new Error('Call onModuleInit() first.');
    return new SignJWT({ scope })
      .setProtectedHeader({ alg: ALGORITHM })
      .setIssuer(this.issuer)
      .setAudience(this.audience)
      .setSubject(sub)
      .setIssuedAt()
      .setExpirationTime(expiresIn)
      .sign(this.privateKey);
  }
}

async function readKey(directory: string): Promise<JWK | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, KEY_FILE), 'utf8')) as JWK;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function createKey(directory: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const file = join(directory, KEY_FILE);
  const newFile = `${file}.${randomUUID()}`;
  await mkdir(directory, { recursive: true });
  await writeFile(newFile, JSON.stringify(await exportJWK(privateKey)), { mode: 0o600 });
  try {
    // Fails if another process has created the file, so that all use one key, and none reads half a file.
    await link(newFile, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(newFile);
  }
  return JSON.parse(await readFile(file, 'utf8')) as JWK;
}
