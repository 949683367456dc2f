import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import type { HeaderField } from './messages.js';

/**
 * The API serves data, so its content security policy allows a browser nothing at all.
 */
const helmetHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  xFrameOptions: { action: 'deny' },
});

/** The security headers that every response has. They are always the same, so Helmet is asked once. */
export const securityHeaders = headersBy(helmetHeaders);

function headersBy(middleware: typeof helmetHeaders): HeaderField[] {
  const headers: HeaderField[] = [];
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.setHeader = (name, value) => {
    headers.push([name, String(value)]);
    return response;
  };
  middleware(response.req, response, () => undefined);
  return headers;
}

/**
 * Swagger UI loads scripts and styles from this server, has inline styles, draws `data:` images and
 * calls this server's API. No `upgrade-insecure-requests`: the pages also work without TLS.
 */
const docsContentSecurityPolicy = helmet.contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
});

/**
 * What the documentation pages have in place of the API's headers: a policy under which Swagger UI
 * works, and none of the headers of which browsers complain on the console where there is no TLS.
 */
export function docsSecurityHeaders(
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
): void {
  res.removeHeader('Cross-Origin-Opener-Policy');
  res.removeHeader('Origin-Agent-Cluster');
  docsContentSecurityPolicy(req, res, next);
}
