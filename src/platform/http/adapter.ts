import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
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
import type { Lifecycle } from '../lifecycle/lifecycle.js';
import { readBody } from './body.js';
import { faultOf, pathFaultOf } from './malformed.js';
import { type HeaderField, messageClasses } from './messages.js';

/** How long clients may take, in milliseconds. */
const TIME_OUTS = {
  /** For the headers of a request; a client that drips them in holds a connection no longer. */
  headersTimeout: 10_000,
  /** For a whole request, its body too. */
  requestTimeout: 60_000,
  /** Between two requests: longer than balancers keep a connection (AWS 60 s), so that it is they who close it. */
  keepAliveTimeout: 65_000,
  /** How often the first two are looked at. */
  connectionsCheckingInterval: 1000,
};

/** How long nothing may move on a connection, in milliseconds, in a client that reads nothing too. */
const SILENCE_LIMIT_MS = 120_000;

/**
 * How many clients may wait until Node takes their connections: as many as Linux lets wait. Of more
 * than Node's 511, such as come back at once after an outage, some would try again after a second.
 */
const BACKLOG = 4096;

const METHODS_WITH_BODY = ['post', 'put', 'patch', 'delete', 'all'] as const;

/** Statuses whose answers have no body, which Express takes away. */
const BODILESS = new Set<number>([
  HttpStatus.NO_CONTENT,
  HttpStatus.RESET_CONTENT,
  HttpStatus.NOT_MODIFIED,
]);

/** Middleware that needs nothing of Express. */
type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** What the adapter is made of. */
export interface HttpOptions {
  /** The largest request body, such as `100kb`. */
  bodyLimit: string;
  /** Express's `trust proxy`. */
  trustProxy: boolean | number | string;
  lifecycle: Lifecycle;
  /** What every request goes through first, one that Node's parser refuses too. */
  first: Middleware[];
  /** The headers that every response has. */
  standingHeaders: HeaderField[];
  /** Adds the routes that are looked at last, so that the others need not pass by them. */
  addLastRoutes: () => void;
}

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
 *
 * It is fast by two things: {@link messageClasses}, and {@link HttpAdapter.reply}. What is said
 * beside each is the share of requests/s that is left without it, measured with `wrk -c50` in turns
 * on one core; `npm run bench` shows it after the line is taken out.
 */
export class HttpAdapter extends ExpressAdapter {
  private readonly lifecycle: Lifecycle;
  private readonly first: Middleware[];
  private readonly addLastRoutes: () => void;
  private readonly classes: ReturnType<typeof messageClasses>;
  private readonly refused = new WeakSet<Socket>();

  constructor({
    bodyLimit,
    trustProxy,
    lifecycle,
    first,
    standingHeaders,
    addLastRoutes,
  }: HttpOptions) {
    super(
      express()
        .set('case sensitive routing', true)
        .set('trust proxy', trustProxy)
        .disable('x-powered-by'),
    );
    this.lifecycle = lifecycle;
    this.first = first;
    this.addLastRoutes = addLastRoutes;
    const app = this.getInstance<Express>();
    this.classes = messageClasses(app, standingHeaders);
    const bodyReader = readBody(bodyLimit);
    for (const method of METHODS_WITH_BODY) {
      this[method] = (path: unknown, handler?: RequestHandler) =>
        app[method](path as string, bodyReader, handler ?? []);
    }
  }

  override initHttpServer(): void {
    const app = this.getInstance<Express>();
    const handle = (req: IncomingMessage, res: ServerResponse) => {
      // Node hands over what came together with what was refused.
      if (this.refused.has(req.socket)) return;
      const fault = faultOf(req);
      if (fault !== undefined) {
        this.refused.add(req.socket);
        res.setHeader('Connection', 'close');
      }
      this.begin(req, res, () => {
        const detail = fault ?? pathFaultOf(req);
        if (detail === undefined) app(req, res);
        else answer(res, 400, detail);
      });
    };
    // faultOf() looks for the host in Node's place, so that the answer has a body.
    this.httpServer = createServer(
      { requireHostHeader: false, ...TIME_OUTS, ...this.classes },
      handle,
    )
      // readBody() asks for the body, once it is known to be wanted.
      .on('checkContinue', handle)
      // As FastAPI's server does, any other expectation is ignored, not a 417.
      .on('checkExpectation', handle)
      .on('connect', (req: IncomingMessage, socket: Socket) => {
        // This is no proxy. Node hands over the bare connection.
        // It listens to the connection no more, so an answer that is under way could get stuck.
        if (this.lifecycle.connections.lastOf(socket)) socket.destroy();
        else this.answerOn(socket, req, 404, 'Not Found');
      })
      .on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
        this.refuse(error, socket);
      })
      .on('listening', () => {
        this.lifecycle.enter('ready');
      });
    this.httpServer.timeout = SILENCE_LIMIT_MS;
    this.lifecycle.connections.watch(this.httpServer);
  }

  override listen(port: string | number, ...hostAndCallback: unknown[]): Server {
    const args = [port, ...hostAndCallback.toSpliced(-1, 0, BACKLOG)];
    return this.httpServer.listen(...(args as Parameters<Server['listen']>));
  }

  override setNotFoundHandler(): void {
    this.addLastRoutes();
    this.use((req: Request, res: Response, next: NextFunction) => {
      next(this.explainNoMatch(req, res));
    });
  }

  /**
   * Answers an object as JSON, without Express's detour by ETag and freshness: it is what is true
   * now, so a conditional request never gets a 304 for it. All else is answered as Nest does.
   *
   * Without this, of the requests/s on Node 24: 0.64 of GETs, 0.85 of POSTs.
   */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    // The parser has refused the rest of the request meanwhile, and answered that.
    if (response.writableEnded) return response;
    if (
      typeof body !== 'object' ||
      body === null ||
      body instanceof StreamableFile ||
      body instanceof Error ||
      BODILESS.has(statusCode ?? response.statusCode)
    ) {
      return super.reply(response, body, statusCode);
    }
    const json = JSON.stringify(body);
    if (statusCode !== undefined) response.statusCode = statusCode;
    if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/json');
    const length = Buffer.byteLength(json);
    response.setHeader('Content-Length', length);
    // What is ASCII is the same in Latin-1, of which Node need not look at each character.
    return response.end(json, length === json.length ? 'latin1' : 'utf8');
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

  /**
   * Answers what Node's parser could not read, as far as it can still be answered, and hangs up.
   * When the request before it on the connection is still being answered, that answer is the last.
   */
  private refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    // Node tells it again with each piece of what follows.
    if (this.refused.has(socket)) return;
    this.refused.add(socket);
    const { connections } = this.lifecycle;
    const pending = connections.lastOf(socket);
    const isBodyCutOff = pending?.req.complete === false && error.code === 'HPE_INVALID_EOF_STATE';
    const isAnswered = pending
      ? pending.headersSent && !pending.req.complete
      : connections.isInBody(socket);
    if (!socket.writable || isBodyCutOff || isAnswered) {
      socket.destroy();
      return;
    }
    if (pending?.req.complete) {
      hangUpAfter(pending, socket);
      return;
    }
    const [status, detail] = PARSER_ERRORS.get(error.code) ?? [400, 'The request is malformed'];
    if (pending) {
      hangUpAfter(pending, socket);
      answer(pending, status, detail);
    } else {
      this.answerOn(socket, new IncomingMessage(socket), status, detail);
    }
  }

  /** Answers on a connection for which Node has no response. */
  private answerOn(socket: Socket, request: IncomingMessage, status: number, detail: string): void {
    const response = new this.classes.ServerResponse(request);
    response.assignSocket(socket);
    hangUpAfter(response, socket);
    this.begin(request, response, () => {
      answer(response, status, detail);
    });
  }

  /** Takes a request through what all go through first. */
  private begin(request: IncomingMessage, response: ServerResponse, goOn: () => void): void {
    let step = 0;
    const next = () => {
      const middleware = this.first[step++];
      if (middleware) middleware(request, response, next);
      else goOn();
    };
    next();
  }
}

/** Makes an answer the last on its connection. */
function hangUpAfter(response: ServerResponse, socket: Socket): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
  // Node may have let go of the connection, and not listen. That the client is gone is no error.
  socket.on('error', () => undefined);
  response.once('finish', () => {
    socket.destroySoon();
  });
}

function answer(response: ServerResponse, status: number, detail: string): void {
  const json = JSON.stringify({ detail });
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
  });
  response.end(json);
}
