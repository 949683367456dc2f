import { Reflector } from '@nestjs/core';
import { BODY_LIMIT_PATTERN } from '../settings/settings.js';

/**
 * Replaces `BODY_LIMIT` for a handler, or for every handler of a controller. It does not apply to bodies that
 * an interceptor or a middleware reads, such as `FileInterceptor`: these have limits of their own.
 *
 * @example
 * ```ts
 * @Post('import')
 * @BodyLimit('5mb')
 * importPets(@Body() request: ImportRequestDto): ImportResponseDto {}
 * ```
 *
 * @throws TypeError if the value is not a size from `1b` to `99mb`
 */
export const BodyLimit = Reflector.createDecorator<string, string>({
  transform: (limit) => {
    if (BODY_LIMIT_PATTERN.test(limit)) return limit;
    throw new TypeError(
      `@BodyLimit(${JSON.stringify(limit)}): expected a size from 1b to 99mb, such as '5mb'.`,
    );
  },
});
