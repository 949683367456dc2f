import type {
  CorsOptions,
  CorsOptionsDelegate,
} from '@nestjs/common/interfaces/external/cors-options.interface.js';
import type { Request } from 'express';

/**
 * What browsers let the pages of other origins do: everything the API offers, without cookies, and
 * read the request's id.
 *
 * @param origins the origins, or `*` for all
 */
export function crossOrigin(origins: string[]): CorsOptionsDelegate<Request> {
  const options: CorsOptions = {
    origin: origins.includes('*') ? '*' : origins,
    exposedHeaders: ['X-Request-Id', 'Allow'],
    maxAge: 600,
  };
  return (req, callback) => {
    // Any other OPTIONS request is one like all others: a 405 where there is no such route.
    const isPreflight = 'access-control-request-method' in req.headers;
    callback(null, { ...options, preflightContinue: !isPreflight });
  };
}
