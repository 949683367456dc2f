import { SetMetadata } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner } from '@nestjs/core';
import { PublicRoute } from './public-route.decorator.js';

const scanner = new MetadataScanner();

/** The metadata of `@SkipThrottle()` of `@nestjs/throttler`, for throttlers without a name. */
const SkipThrottle = () => SetMetadata('THROTTLER:SKIPdefault', true);

/** The metadata of `@CacheKey()` of `@nestjs/cache-manager`. A response without a key is not cached. */
const SkipCache = () => SetMetadata('cache_module:cache_key', () => undefined);

/**
 * Marks the handlers of a controller as called by probes and monitors: they are public, and the global
 * `ThrottlerGuard` and `CacheInterceptor` of a feature skip them. The platform does not depend on the packages
 * of these classes.
 */
export function MonitoringRoutes(): ClassDecorator {
  return (controller) => {
    PublicRoute()(controller);
    SkipThrottle()(controller);
    const methods = controller.prototype as Record<string, () => unknown>;
    for (const name of scanner.getAllMethodNames(methods)) {
      const method = methods[name];
      // `CacheInterceptor` reads the metadata of handlers, but not of controllers.
      if (method && Reflect.hasMetadata(PATH_METADATA, method)) {
        SkipCache()(controller, name, { value: method });
      }
    }
  };
}
