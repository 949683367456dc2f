import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import type { HeaderField } from '../../fast-express/message-classes.js';

// JSON needs no scripts, styles or frames, so the policy allows nothing.
const setSecurityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  xFrameOptions: { action: 'deny' },
});

/** Helmet's headers, the same for every response. Calling Helmet once is faster than per response. */
export const securityHeaders = collectHeaders(setSecurityHeaders);

function collectHeaders(middleware: typeof setSecurityHeaders): HeaderField[] {
  const headers: HeaderField[] = [];
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.setHeader = (name, value) => {
    headers.push([name, String(value)]);
    return response;
  };
  middleware(response.req, response, () => undefined);
  return headers;
}
