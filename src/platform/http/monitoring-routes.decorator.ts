import { SetMetadata, type Type } from '@nestjs/common';
import { PublicRoute } from './public-route.decorator.js';
import { findRouteHandlers } from './route-handlers.js';

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
    // `CacheInterceptor` reads the metadata of handlers, but not of controllers.
    for (const [name, value] of findRouteHandlers(controller as unknown as Type)) {
      SkipCache()(controller, name, { value });
    }
  };
}
