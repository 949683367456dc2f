import { applyDecorators, UseGuards } from '@nestjs/common';
import { ApiBearerAuth } from '@nestjs/swagger';
import { AuthGuard } from './auth.guard.js';

/**
 * Requires a valid bearer token for a handler, or for all handlers of a controller. The module imports
 * `AuthModule`: without it, start-up fails.
 *
 * @example
 * ```ts
 * @Get()
 * @Authenticated()
 * findAll(@CurrentUser() user: AuthenticatedUser) {}
 * ```
 */
export const Authenticated = () => applyDecorators(UseGuards(AuthGuard), ApiBearerAuth());
