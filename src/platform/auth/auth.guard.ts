import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { AuthService } from './auth.service.js';
import type { AuthenticatedUser } from './token-verifier.service.js';

declare module 'express-serve-static-core' {
  interface Request {
    /** Set by {@link AuthGuard}. */
    authenticatedUser?: AuthenticatedUser;
  }
}

/** Metadata key of the scopes that a handler or a controller requires. */
export const REQUIRED_SCOPES = 'petsage:required-scopes';

/** Authenticates requests to handlers with `@Authenticated()` or `@Scopes()`, which apply it. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly auth: AuthService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') {
      throw new Error('@Authenticated() and @Scopes() work on HTTP handlers only.');
    }
    const request = context.switchToHttp().getRequest<Request>();
    const response = context.switchToHttp().getResponse<Response>();
    request.authenticatedUser ??= await this.auth.authenticate(request, response);
    const targets = [context.getClass(), context.getHandler()];
    const scopes = this.reflector.getAllAndMerge<string[]>(REQUIRED_SCOPES, targets);
    this.auth.assertScopes(request.authenticatedUser, scopes, response);
    return true;
  }
}
