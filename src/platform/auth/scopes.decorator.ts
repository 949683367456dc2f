import { applyDecorators, UseGuards } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import { AuthGuard, REQUIRED_SCOPES } from './auth.guard.js';

/**
 * Requires a bearer token with all of these scopes for a handler, or for all handlers of a controller. The
 * scopes of a controller, of its base class and of a handler add up.
 *
 * @example
 * ```ts
 * @Post()
 * @Scopes('pets:write')
 * create(@Body() pet: PetDto) {}
 * ```
 */
export const Scopes = (...scopes: [string, ...string[]]) =>
  applyDecorators(addRequiredScopes(scopes), UseGuards(AuthGuard), ApiSecurity('bearer', scopes));

/** Unlike `SetMetadata()`, keeps the scopes of another decorator and of the base class. */
function addRequiredScopes(scopes: string[]): ClassDecorator & MethodDecorator {
  return (target: object, _name?: unknown, descriptor?: PropertyDescriptor) => {
    const owner = (descriptor?.value ?? target) as object;
    const others = (Reflect.getMetadata(REQUIRED_SCOPES, owner) ?? []) as string[];
    Reflect.defineMetadata(REQUIRED_SCOPES, [...others, ...scopes], owner);
  };
}
