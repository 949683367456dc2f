import { ArrayNotEmpty, IsIn, IsOptional, Matches, ValidateBy, ValidateIf } from 'class-validator';
import { DevelopmentSettings, isDevelopment } from '../settings/development.settings.js';
import { CommaSeparated } from '../settings/setting.decorators.js';

/** The asymmetric algorithms of RFC 7518 and RFC 8037. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
];

const LOOPBACK_HOST = /^(localhost|127\.[\d.]+|\[::1\])$/;

/** Validates an https URL, or an http URL of the loopback interface. */
function SecureUrl({ allowsQuery, hint = '' }: { allowsQuery: boolean; hint?: string }) {
  const validate = (value: unknown) =>
    isSecureUrl(value) && (allowsQuery || !String(value).includes('?'));
  return ValidateBy(
    { name: 'secureUrl', validator: { validate } },
    {
      message: `expected an https URL such as https://id.example.com (http on loopback only)${hint}`,
    },
  );
}

/** Returns whether keys may be read from a URL. */
export function isSecureUrl(value: unknown): boolean {
  // The parser of URLs removes white space.
  if (typeof value !== 'string' || /\s/.test(value) || !URL.canParse(value)) return false;
  const { protocol, hostname, username, password, hash } = new URL(value);
  const isSecure = protocol === 'https:' || (protocol === 'http:' && LOOPBACK_HOST.test(hostname));
  return isSecure && username + password + hash === '';
}

/** Settings of `AuthModule`. */
export class AuthSettings extends DevelopmentSettings {
  /**
   * The identity provider: the claim `iss` of its tokens. Unset, and with `NODE_ENV` unset, `development` or
   * `test`, the service verifies tokens of `npm run token`.
   */
  @ValidateIf(requiresIssuer)
  @SecureUrl({ allowsQuery: false, hint: ', unless NODE_ENV is development or test' })
  AUTH_ISSUER?: string;

  /** The claim `aud` that tokens must contain: this API, as the identity provider names it. */
  @ValidateIf(requiresIssuer)
  @Matches(/^\S+$/, {
    message: 'expected the audience of the tokens, such as https://api.petsage.io',
  })
  AUTH_AUDIENCE?: string;

  /** URL of the keys (JWKS). Unset means `jwks_uri` of the issuer's discovery document. */
  @IsOptional()
  @SecureUrl({ allowsQuery: true })
  AUTH_JWKS_URL?: string;

  /** Algorithms of signatures that are accepted. */
  @CommaSeparated()
  @ArrayNotEmpty()
  @IsIn(ALGORITHMS, { each: true, message: `expected algorithms of ${ALGORITHMS.join(',')}` })
  AUTH_ALGORITHMS: string[] = ['RS256', 'ES256', 'EdDSA'];
}

function requiresIssuer(settings: AuthSettings): boolean {
  return (
    !isDevelopment(settings) ||
    settings.AUTH_ISSUER !== undefined ||
    settings.AUTH_AUDIENCE !== undefined ||
    settings.AUTH_JWKS_URL !== undefined
  );
}
