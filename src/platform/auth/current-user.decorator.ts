import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { AuthenticatedUser } from './token-verifier.service.js';

/** Injects the {@link AuthenticatedUser} into a parameter of a handler with `@Authenticated()` or `@Scopes()`. */
export const CurrentUser = createParamDecorator(
  (_data: undefined, context: ExecutionContext): AuthenticatedUser => {
    const { authenticatedUser } = context.switchToHttp().getRequest<Request>();
    if (authenticatedUser === undefined) {
      throw new Error(
        `${context.getClass().name}.${context.getHandler().name} uses @CurrentUser(), but not @Authenticated() or @Scopes(). Add one of them.`,
      );
    }
    return authenticatedUser;
  },
);
