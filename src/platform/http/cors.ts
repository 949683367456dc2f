import type {
  CorsOptions,
  CorsOptionsDelegate,
} from '@nestjs/common/interfaces/external/cors-options.interface.js';
import type { Request } from 'express';

/** Headers that pages may read, beside those that the Fetch standard allows. */
const EXPOSED_HEADERS = [
  'Allow',
  'ETag',
  'Link',
  'Location',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
];

/**
 * Creates the CORS options. Pages of these origins may send every request, without cookies.
 *
 * @param origins origins, or `*` for all
 */
export function createCorsOptions(origins: string[]): CorsOptionsDelegate<Request> {
  const options: CorsOptions = {
    origin: origins.includes('*') ? '*' : origins,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  };
  return (req, callback) => {
    // An OPTIONS request that is not a preflight request is routed like any other request.
    const isPreflight = 'access-control-request-method' in req.headers;
    callback(null, { ...options, preflightContinue: !isPreflight });
  };
}
