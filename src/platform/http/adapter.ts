import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  BadRequestException,
  type HttpException,
  HttpStatus,
  MethodNotAllowedException,
  NotFoundException,
  StreamableFile,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { readBody } from './body.js';
import { requestId } from './request-id.js';
import { docsSecurityHeaders, securityHeaders } from './security.js';

const METHODS_WITH_BODY = ['post', 'put', 'patch', 'delete', 'all'] as const;

/** What Express's router keeps for each path; its types leave these out. */
interface RouteLayer {
  route?: { methods: Record<string, boolean> };
  match(path: string): unknown;
}

/** What Node's parser refuses before there is a request, by error code; all else is a 400. */
const PARSER_ERRORS = new Map<string | undefined, [status: number, detail: string]>([
  ['HPE_HEADER_OVERFLOW', [431, 'The request headers are too large']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'The chunk extensions of the request are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'The request did not arrive in time']],
]);

/**
 * Nest's Express adapter with the HTTP behaviour that FastAPI's clients know: paths are
 * case-sensitive, a body is read where a route wants one, a known path under another method is a
 * 405 with `Allow`, and every answer, even to a request that Node's parser refuses, is JSON with
 * the request's id and the security headers.
 */
export class HttpAdapter extends ExpressAdapter {
  private readBody: RequestHandler = readBody('100kb');

  constructor() {
    super(express().set('case sensitive routing', true).disable('x-powered-by'));
    this.use(requestId, securityHeaders, rejectMalformed);
    this.use('/docs', docsSecurityHeaders);
    const app = this.getInstance<Express>();
    for (const method of METHODS_WITH_BODY) {
      this[method] = (path: unknown, handler?: RequestHandler) =>
        app[method](path as string, this.readBody, handler ?? []);
    }
  }

  /** Sets the largest request body, such as `100kb`. To be called before the routes are made. */
  setBodyLimit(limit: string): void {
    this.readBody = readBody(limit);
  }

  override initHttpServer(): void {
    // rejectMalformed answers in its place, with a body.
    const server = createServer({ requireHostHeader: false }, this.getInstance<Express>());
    // As FastAPI's server does, an expectation that is not 100-continue is ignored, not a 417.
    server.on('checkExpectation', (req, res) => server.emit('request', req, res));
    server.on('clientError', refuse);
    this.httpServer = server;
  }

  override setNotFoundHandler(): void {
    this.use((req: Request, res: Response, next: NextFunction) => {
      next(this.explainNoMatch(req, res));
    });
  }

  /**
   * Answers an object as JSON, without Express's detour by ETag and freshness: an answer of the API
   * is what is true now, so a conditional request never gets a 304 for it.
   */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (
      typeof body !== 'object' ||
      body === null ||
      body instanceof StreamableFile ||
      body instanceof Error ||
      statusCode === HttpStatus.NO_CONTENT
    ) {
      return super.reply(response, body, statusCode);
    }
    const json = JSON.stringify(body);
    if (statusCode !== undefined) response.statusCode = statusCode;
    if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', Buffer.byteLength(json));
    return response.end(json);
  }

  private explainNoMatch({ method, path }: Request, response: Response): HttpException {
    const layers = this.getInstance<Express>().router.stack as unknown as RouteLayer[];
    const allowed = layers
      .filter((layer) => layer.route && layer.match(path))
      .map((layer) => Object.keys(layer.route?.methods ?? {}))
      // What takes this method and still passed the request on is middleware.
      .filter((methods) => !methods.includes(method.toLowerCase()))
      .flat()
      .flatMap((name) => (name === 'get' ? ['GET', 'HEAD'] : name.toUpperCase()));
    if (allowed.length === 0) return new NotFoundException();
    response.setHeader('Allow', [...new Set(allowed)].join(', '));
    return new MethodNotAllowedException();
  }
}

function rejectMalformed(req: Request, _res: Response, next: NextFunction): void {
  if (req.headers.host === undefined && req.httpVersion === '1.1') {
    next(new BadRequestException('The Host header is missing'));
  } else if (req.url.includes('%') && !isDecodable(req.path)) {
    next(new BadRequestException('The path is malformed: a % begins no UTF-8 character'));
  } else {
    next();
  }
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Answers what Node's parser could not read, as far as it can still be answered, and hangs up. When
 * the request before it on the connection is still being answered, that answer is the last.
 */
function refuse(
  error: NodeJS.ErrnoException,
  socket: Socket & { _httpMessage?: ServerResponse },
): void {
  const pending = socket._httpMessage;
  if (!socket.writable || (pending?.headersSent && !pending.req.complete)) {
    socket.destroy();
    return;
  }
  if (pending?.req.complete) {
    if (!pending.headersSent) pending.setHeader('Connection', 'close');
    pending.once('finish', () => {
      socket.destroySoon();
    });
    return;
  }
  const [status, detail] = PARSER_ERRORS.get(error.code) ?? [400, 'The request is malformed'];
  const response = pending ?? startResponse(socket);
  const json = JSON.stringify({ detail });
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(json, () => {
    socket.destroySoon();
  });
}

function startResponse(socket: Socket): ServerResponse {
  const request = new IncomingMessage(socket);
  const response = new ServerResponse(request);
  response.assignSocket(socket);
  requestId(request, response, () => undefined);
  securityHeaders(request, response, () => undefined);
  return response;
}
