import type { IncomingMessage } from 'node:http';
import cors, { type CorsOptions } from 'cors';
import type { ServerMiddleware } from '../../fast-express/fast-express.adapter.js';

/** Headers that pages may read, in addition to the headers that the Fetch standard allows. */
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
 * Creates middleware for CORS. Pages of these origins may send every request, without cookies.
 *
 * @param origins origins, or `*` for all
 */
export function createCorsMiddleware(origins: string[]): ServerMiddleware {
  const options: CorsOptions = {
    origin: origins.includes('*') ? '*' : origins,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  };
  return cors<IncomingMessage>((req, callback) => {
    // An OPTIONS request that is not a preflight request is routed like any other request.
    const isPreflight = 'access-control-request-method' in req.headers;
    callback(null, { ...options, preflightContinue: !isPreflight });
  });
}
