import {
  ForbiddenException,
  Injectable,
  Logger,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { errors } from 'jose';
import { Counter, Registry } from 'prom-client';
import { KeysUnavailableError } from './signing-keys.js';
import { type AuthenticatedUser, TokenVerifierService } from './token-verifier.service.js';

/** Credentials as in RFC 6750. */
const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

/** Some errors of jose quote the header of the token. */
const MAX_REASON_LENGTH = 200;

const OUTCOMES = ['valid_token', 'no_token', 'invalid_token', 'keys_unavailable'] as const;

/** Authenticates requests. Counts them, and logs why it rejects one. */
@Injectable()
export class AuthService {
  private readonly logger = new Logger(AuthService.name);
  private readonly requests: Counter<'outcome'>;

  constructor(
    private readonly tokenVerifier: TokenVerifierService,
    registry: Registry,
  ) {
    this.requests = new Counter({
      name: 'petsage_auth_requests_total',
      help: 'Requests to handlers that require a token.',
      labelNames: ['outcome'],
      registers: [registry],
    });
    // Prometheus computes no increase from a series that begins with 1.
    for (const outcome of OUTCOMES) this.requests.inc({ outcome }, 0);
  }

  /**
   * Authenticates a request with its bearer token.
   *
   * @throws UnauthorizedException if there is no valid token
   * @throws ServiceUnavailableException if the keys of the issuer cannot be read
   */
  async authenticate(request: Request, response: Response): Promise<AuthenticatedUser> {
    const [, token] = BEARER.exec(readAuthorization(request)) ?? [];
    if (token === undefined) {
      this.requests.inc({ outcome: 'no_token' });
      this.reject(
        response,
        'Bearer',
        'The request has no bearer token, or several Authorization headers',
      );
      throw new UnauthorizedException('Not authenticated');
    }
    try {
      const user = await this.tokenVerifier.verify(token);
      this.requests.inc({ outcome: 'valid_token' });
      return user;
    } catch (error) {
      if (error instanceof KeysUnavailableError) {
        this.requests.inc({ outcome: 'keys_unavailable' });
        throw new ServiceUnavailableException(undefined, { cause: error });
      }
      if (!(error instanceof errors.JOSEError)) throw error;
      this.requests.inc({ outcome: 'invalid_token' });
      this.reject(response, 'Bearer error="invalid_token"', formatReason(error));
      throw new UnauthorizedException('Could not validate credentials');
    }
  }

  /** @throws ForbiddenException if the user lacks one of the scopes */
  assertScopes(user: AuthenticatedUser, required: string[], response: Response): void {
    const missing = required.filter((scope) => !user.scopes.includes(scope));
    if (missing.length === 0) return;
    const reason = `The token lacks the scopes ${missing.join(' ')}`;
    this.reject(response, 'Bearer error="insufficient_scope"', reason);
    throw new ForbiddenException('Not enough permissions');
  }

  private reject(response: Response, challenge: string, reason: string): void {
    // On the response, not on the exception: if an exception filter of a feature responds, the client still gets it.
    response.setHeader('WWW-Authenticate', challenge);
    this.logger.log({ reason }, 'Request rejected');
  }
}

/** Adds the value of a claim that is not the expected one, such as another issuer. */
function formatReason(error: errors.JOSEError): string {
  const { message } = error;
  const reason =
    error instanceof errors.JWTClaimValidationFailed
      ? `${message}: ${JSON.stringify(error.payload[error.claim])}`
      : message;
  return reason.slice(0, MAX_REASON_LENGTH);
}

/** Returns the Authorization header, or an empty string if there is not exactly one. Node.js keeps the first one. */
function readAuthorization({ headersDistinct }: Request): string {
  const [value = '', ...others] = headersDistinct.authorization ?? [];
  return others.length === 0 ? value : '';
}
