import type { JWTVerifyGetKey } from 'jose';

/** The public keys of an issuer of tokens. */
export abstract class SigningKeys {
  /** The claim `iss` of its tokens. */
  abstract readonly issuer: string;
  /** The claim `aud` of its tokens for this service. */
  abstract readonly audience: string;

  /** The algorithms of its signatures. */
  abstract readonly algorithms: string[];

  /**
   * Returns the key with which a token is signed, by its `kid` and `alg`.
   *
   * @throws JOSEError if the issuer has no such key
   * @throws KeysUnavailableError if the issuer's keys cannot be read
   */
  abstract readonly getKey: JWTVerifyGetKey;
}

/** The keys of the issuer cannot be read, so that a token can be neither accepted nor rejected. */
export class KeysUnavailableError extends Error {}
