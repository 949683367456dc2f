import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/**
 * Swagger UI loads scripts and styles from this server, uses inline styles and `data:` images, shows
 * images in responses from `blob:` URLs, and calls this server. There is no `upgrade-insecure-requests`,
 * because the page must work without TLS.
 */
const setContentSecurityPolicy = helmet.contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:', 'blob:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
});

/**
 * Middleware that sets a content security policy for Swagger UI, and removes headers about which
 * browsers print console warnings on pages without TLS.
 */
export function setDocsHeaders(
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
): void {
  res.removeHeader('Cross-Origin-Opener-Policy');
  res.removeHeader('Origin-Agent-Cluster');
  setContentSecurityPolicy(req, res, next);
}
