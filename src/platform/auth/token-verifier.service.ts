import { Injectable } from '@nestjs/common';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { KeysUnavailableError, SigningKeys } from './signing-keys.js';

/** How far the clocks of the issuer and of this service may differ, in seconds. */
const CLOCK_TOLERANCE_S = 30;

/** The longest `sub` of OpenID Connect. An index of PostgreSQL can contain it. */
const MAX_SUB_BYTES = 255;

/** The caller of a request, as the verified token says. */
export interface AuthenticatedUser {
  /** Id of the user at the issuer. */
  sub: string;
  scopes: string[];
  /** All claims of the token. */
  claims: JWTPayload;
}

/** Verifies access tokens. */
@Injectable()
export class TokenVerifierService {
  constructor(private readonly keys: SigningKeys) {}

  /**
   * Verifies the signature and the claims `iss`, `aud`, `exp`, `nbf` and `sub` of a token.
   *
   * @throws JOSEError if the token is not valid
   * @throws KeysUnavailableError if the keys of the issuer cannot be read
   */
  async verify(token: string): Promise<AuthenticatedUser> {
    const claims = await this.readClaims(token);
    const { sub } = claims;
    if (!isValidSub(sub)) {
      throw new errors.JWTClaimValidationFailed(
        `"sub" claim must be a string of 1 to ${MAX_SUB_BYTES} bytes`,
        claims,
        'sub',
      );
    }
    return { sub, scopes: readScopes(claims), claims };
  }

  private async readClaims(token: string): Promise<JWTPayload> {
    const { issuer, audience, algorithms, getKey } = this.keys;
    const options = { issuer, audience, algorithms, clockTolerance: CLOCK_TOLERANCE_S };
    try {
      const verified = await jwtVerify(token, getKey, { ...options, requiredClaims: ['exp'] });
      return verified.payload;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof KeysUnavailableError) throw error;
      // jose rejects keys such as one of RSA with 1024 bits.
      throw new KeysUnavailableError(`A key of ${issuer} cannot be used`, { cause: error });
    }
  }
}

/** Rejects what a database cannot store: NUL, and half of a surrogate pair, which would be stored as another string. */
function isValidSub(sub: unknown): sub is string {
  return (
    typeof sub === 'string' &&
    /^[^\0\p{Surrogate}]+$/u.test(sub) &&
    Buffer.byteLength(sub) <= MAX_SUB_BYTES
  );
}

/** Reads `scope` (RFC 9068) and `scp` (Entra ID, Okta): lists, or texts with spaces. */
function readScopes({ scope, scp }: JWTPayload): string[] {
  return [scope, scp]
    .flat()
    .flatMap((value) => (typeof value === 'string' ? value.split(' ') : []))
    .filter((value) => value !== '');
}
