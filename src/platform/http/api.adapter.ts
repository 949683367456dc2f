import { tracingChannel } from 'node:diagnostics_channel';
import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { ListenOptions, Socket } from 'node:net';
import {
  type HttpException,
  HttpStatus,
  Logger,
  MethodNotAllowedException,
  type NestApplicationOptions,
  NotFoundException,
  RequestMethod,
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
import type { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import type { LifecycleService } from '../lifecycle/lifecycle.service.js';
import { runInRequestContext } from './request-context.js';
import type { Settings } from '../settings/settings.js';
import { createRouteBodyParser, sendContinueOnRead } from './body-parser.js';
import { createMessageClasses, type HeaderField } from './message-classes.js';
import { findHeadError, findPathError, normalizeTarget } from './request-head.js';
import { servesHost } from './route-host.js';
import {
  findMatchingRoutes,
  getLayers,
  type MatchedRoute,
  type Route,
  ROUTE_METHODS,
  RouteIndex,
  type RouteMethod,
} from './route-index.js';

const TIMEOUTS_MS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  /** Longer than load balancers keep idle connections (AWS ALB: 60 s), so that they close them first. */
  keepAliveTimeout: 65_000,
  /** How often headersTimeout and requestTimeout are checked. */
  connectionsCheckingInterval: 1000,
};

/** Also limits how long a connection without a TLS session delays the shutdown. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Also limits how long a client that does not read its response keeps the connection. */
const SOCKET_INACTIVITY_TIMEOUT_MS = 120_000;

/**
 * Size of the accept queue: the maximum on Linux (`net.core.somaxconn`). With Node's default of 511,
 * clients that reconnect all at once have to retry after a second.
 */
const BACKLOG = 4096;

const logger = new Logger('ApiAdapter');

/** Statuses whose responses have no body. Express removes it. */
const STATUSES_WITHOUT_BODY = new Set<number>([
  HttpStatus.NO_CONTENT,
  HttpStatus.RESET_CONTENT,
  HttpStatus.NOT_MODIFIED,
]);

const JSON_TYPE = /^application\/json|\+json *(?:;|$)/i;

/** Source of the error handler of a `StreamableFile` whose author has set none. Each file has its own function. */
const DEFAULT_FILE_ERROR_HANDLER = String(new StreamableFile(Buffer.alloc(0)).errorHandler);

/** Responses to requests that Node's HTTP parser rejects, by error code. The default is 400. */
const PARSER_ERRORS = new Map<string | undefined, [status: number, detail: string]>([
  ['HPE_HEADER_OVERFLOW', [431, 'The request headers are too large']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'The chunk extensions of the request are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'The request did not arrive in time']],
]);

/** Where Express's router publishes each request, with its route. */
const expressRequests = tracingChannel('express.router.request');

/** Middleware for `node:http`. */
type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** Express's settings of JSON responses. */
interface ExpressSettings {
  'json replacer'?: Parameters<typeof JSON.stringify>[1];
  'json spaces'?: string | number;
  'json escape'?: boolean;
}

export interface ApiAdapterOptions {
  settings: Settings;
  lifecycle: LifecycleService;
  connections: ConnectionTracker;
  /** Runs before Express, also for requests that Node's HTTP parser rejects. */
  middleware: Middleware[];
  /** Headers of every response. */
  defaultHeaders: HeaderField[];
  /** Is called after all controllers' routes are registered, to add routes that are matched last. */
  registerLastRoutes: () => void;
}

/**
 * Nest's Express adapter with FastAPI's HTTP behavior: paths are case-sensitive, bodies are parsed after
 * a route has matched, a known path with another method is a 405 with an `Allow` header, and every
 * response is JSON with the default headers, also to requests that Node's HTTP parser rejects.
 *
 * {@link createMessageClasses}, {@link RouteIndex}, {@link ApiAdapter.dispatch} and {@link ApiAdapter.reply}
 * make it faster than Nest's own adapter.
 */
export class ApiAdapter extends ExpressAdapter {
  private readonly messageClasses: ReturnType<typeof createMessageClasses>;
  private readonly routeIndexes: RouteIndex[] = [];
  /** Number of layers of Express's router after the last index was added. */
  private layerCount = 0;
  /** Number of layers that the constructors of this adapter and of Nest's adapter add. */
  private readonly initialLayerCount: number;
  private hasRequestHooks = false;
  /** Routes of Express that contain the middleware of a module. */
  private readonly middlewareRoutes = new WeakSet<object>();
  /** Connections on which a request was rejected. Further data on them is ignored. */
  private readonly rejectedSockets = new WeakSet<Socket>();

  constructor(private readonly apiOptions: ApiAdapterOptions) {
    super(
      express()
        .set('case sensitive routing', true)
        .set('trust proxy', apiOptions.settings.TRUST_PROXY)
        .disable('x-powered-by')
        .use((req, res, next) => {
          if ((req as Partial<Request>).state) next();
          else this.handleForeignRequest(req, res, next);
        }),
    );
    const app = this.getInstance<Express>();
    this.initialLayerCount = app.router.stack.length;
    this.messageClasses = createMessageClasses(app, apiOptions.defaultHeaders);
    const { BODY_LIMIT } = apiOptions.settings;
    for (const method of ROUTE_METHODS) {
      this[method] = (path: unknown, ...handlers: unknown[]) => {
        const parseBody = createRouteBodyParser(method, handlers.at(-1), BODY_LIMIT);
        return this.addRoute(method, path, parseBody ? [parseBody, ...handlers] : handlers);
      };
    }
  }

  /** Returns the routes that match a path, in registration order, without middleware. */
  findRoutes(path: string): MatchedRoute[] {
    const { router } = this.getInstance<Express>();
    return [
      ...this.routeIndexes.flatMap((index) => index.findRoutes(path)),
      ...findMatchingRoutes(router, path, this.middlewareRoutes),
    ];
  }

  override initHttpServer(options?: NestApplicationOptions): void {
    const { lifecycle, connections } = this.apiOptions;
    const handle = (req: IncomingMessage, res: ServerResponse) => {
      if (this.rejectedSockets.has(req.socket)) return;
      const headError = normalizeTarget(req)
        ? findHeadError(req)
        : 'The request target is malformed';
      if (headError !== undefined) {
        this.rejectedSockets.add(req.socket);
        res.setHeader('Connection', 'close');
      }
      this.runMiddleware(req, res, () => {
        const detail = headError ?? findPathError(req);
        if (detail === undefined) this.dispatch(req as Request, res as Response);
        else this.sendError(res, 400, detail);
      });
    };
    // Tracing agents see only 'request' events.
    const emitRequest = (req: IncomingMessage, res: ServerResponse) => {
      this.httpServer.emit('request', req, res);
    };
    // findHeadError() checks the Host header instead of Node, whose response has no body.
    const serverOptions = { requireHostHeader: false, ...TIMEOUTS_MS, ...this.messageClasses };
    const server: Server = options?.httpsOptions
      ? createHttpsServer(
          { ...serverOptions, handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ...options.httpsOptions },
          handle,
        )
      : createServer(serverOptions, handle);
    this.httpServer = server
      .on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
        sendContinueOnRead(req, res);
        emitRequest(req, res);
      })
      // Other expectations are ignored, as FastAPI's server does, instead of a 417 response.
      .on('checkExpectation', emitRequest)
      .on('connect', (req: IncomingMessage, socket: Socket) => {
        // Node stops handling the socket of a CONNECT request: an open response could never finish.
        if (connections.getLastResponse(socket)) socket.destroy();
        else this.sendErrorOnSocket(socket, req, 404, 'Not Found');
      })
      // Node emits 'clientError' too. No response can be sent on a connection without a TLS session.
      .prependListener('tlsClientError', (_error: Error, socket: Socket) => {
        this.rejectedSockets.add(socket);
        socket.destroy();
      })
      .on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
        this.rejectRequest(error, socket);
      })
      .on('listening', () => {
        lifecycle.enter('ready');
      });
    this.httpServer.timeout = SOCKET_INACTIVITY_TIMEOUT_MS;
    connections.watch(this.httpServer);
  }

  /**
   * Takes the arguments of `listen()` of Node's servers: a port, the path of a Unix domain socket, or
   * options, followed by a host, a backlog and a callback, of which each may be absent.
   */
  override listen(address: string | number | ListenOptions = 0, ...rest: unknown[]): Server {
    const callback = rest.find((value) => typeof value === 'function') as (() => void) | undefined;
    const options: ListenOptions & { reusePort: boolean } = {
      host: rest.find((value) => typeof value === 'string'),
      backlog: rest.find((value) => typeof value === 'number') ?? BACKLOG,
      reusePort: this.apiOptions.settings.REUSE_PORT,
    };
    if (typeof address === 'object') Object.assign(options, address);
    else if (Number.isNaN(Number(address))) options.path = String(address);
    else options.port = Number(address);
    return this.httpServer.listen(options, callback);
  }

  override setOnRequestHook(...args: Parameters<ExpressAdapter['setOnRequestHook']>): void {
    super.setOnRequestHook(...args);
    this.hasRequestHooks = true;
  }

  override setOnResponseHook(...args: Parameters<ExpressAdapter['setOnResponseHook']>): void {
    super.setOnResponseHook(...args);
    this.hasRequestHooks = true;
  }

  /** Registers middleware of a module, which adds no method to its path: no 405 and no `Allow` header. */
  override createMiddlewareFactory(
    method: RequestMethod,
  ): ReturnType<ExpressAdapter['createMiddlewareFactory']> {
    const { router } = this.getInstance<Express>();
    // Nest passes -1 if forRoutes() names no method, and otherwise checks the method itself. Express
    // responds to OPTIONS requests to the path of a route with a method.
    const hasMethod = method in RequestMethod;
    const addMiddleware = super.createMiddlewareFactory(hasMethod ? RequestMethod.ALL : method);
    return (path, callback) => {
      const count = router.stack.length;
      addMiddleware(path, callback);
      for (const { route } of router.stack.slice(count)) {
        if (route) this.middlewareRoutes.add(route);
      }
    };
  }

  override setNotFoundHandler(): void {
    this.apiOptions.registerLastRoutes();
    this.use((req: Request, res: Response, next: NextFunction) => {
      next(this.createNoMatchError(req, res));
    });
  }

  /**
   * Sends objects as JSON without Express's ETag, and with `Cache-Control: no-store` unless the handler has
   * set it. Such a response is a 304 only if the handler has set `ETag` or `Last-Modified`. Express's settings
   * of JSON, such as `json replacer`, apply. Everything else is sent by Nest's adapter.
   *
   * Without it, throughput is 64 % for GET and 85 % for POST (Node 24, `wrk -c50`, one core).
   */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    // Node's HTTP parser may have rejected the rest of the request, which was then responded to.
    if (response.writableEnded) return response;
    if (
      typeof body !== 'object' ||
      body === null ||
      body instanceof StreamableFile ||
      body instanceof Error ||
      STATUSES_WITHOUT_BODY.has(statusCode ?? response.statusCode)
    ) {
      if (body instanceof StreamableFile) handleFileErrors(body, response);
      return super.reply(response, body, statusCode);
    }
    const json = stringify(body, this.getInstance<Express>().settings as ExpressSettings);
    if (statusCode !== undefined) response.statusCode = statusCode;
    const contentType = response.getHeader('Content-Type');
    if (contentType === undefined) {
      response.setHeader('Content-Type', 'application/json');
    } else if (isMislabeledError(contentType, body, statusCode)) {
      logger.warn(
        `The body of an error is JSON, but its Content-Type is ${String(contentType)}. Remove the header in the exception filter.`,
      );
      response.setHeader('Content-Type', 'application/json');
    }
    if (!response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store');
    if (isNotModified(response)) return super.reply(response, undefined, HttpStatus.NOT_MODIFIED);
    const length = Buffer.byteLength(json);
    response.setHeader('Content-Length', length);
    // ASCII is the same in Latin-1, which Node encodes faster.
    return response.end(json, length === json.length ? 'latin1' : 'utf8');
  }

  /**
   * Calls the handlers of a route directly if no other route and no middleware can match. Passes other
   * requests to Express. Without it, a GET takes 13 % and a POST 10 % more instructions (Node 24,
   * `perf stat` under `wrk -c50`).
   */
  private dispatch(req: Request, res: Response): void {
    const app = this.getInstance<Express>();
    const route = this.findOnlyRoute(req);
    if (route === undefined) {
      app(req, res);
      return;
    }
    const next = (error?: unknown) => {
      req.state.dispatched = { error };
      app(req, res);
    };
    // Express sets the same properties before it dispatches a route.
    req.res = res;
    req.next = next;
    req.originalUrl = req.url;
    req.baseUrl = '';
    req.params = Object.create(null) as Request['params'];
    res.locals = Object.create(null) as Response['locals'];
    route.dispatch(req, res, next);
  }

  private findOnlyRoute({ method, url }: Request): Route | undefined {
    if (this.hasRequestHooks || expressRequests.start.hasSubscribers) return undefined;
    const end = url.indexOf('?');
    return this.routeIndexes[0]?.findOnlyRoute(method, end === -1 ? url : url.slice(0, end));
  }

  private addRoute(method: RouteMethod, path: unknown, handlers: unknown[]): Express {
    const app = this.getInstance<Express>();
    // A list, a regular expression, or the name of a setting.
    if (typeof path !== 'string' || handlers.length === 0) {
      return (app as Required<Express>)[method](path as string, ...(handlers as RequestHandler[]));
    }
    // Middleware that was added since must run before this route, and after the previous ones.
    const isCurrent = this.routeIndexes.length > 0 && app.router.stack.length === this.layerCount;
    if (!isCurrent) {
      const middleware = getLayers(app.router).slice(this.initialLayerCount);
      const index = new RouteIndex((path) => middleware.some((layer) => layer.match(path)));
      this.routeIndexes.push(index);
      app.use((req, res, next) => {
        const { dispatched } = req.state;
        if (dispatched && index === this.routeIndexes[0]) next(dispatched.error);
        else index.handle(req, res, next);
      });
      this.layerCount = app.router.stack.length;
    }
    this.routeIndexes.at(-1)?.add(method, path, handlers as RequestHandler[]);
    return app;
  }

  private createNoMatchError(req: Request, res: Response): HttpException {
    if (req.route && this.middlewareRoutes.has(req.route as object)) req.route = undefined;
    const method = req.method.toLowerCase();
    const methods = this.findRoutes(req.path)
      .filter(({ handler }) => servesHost(handler, req.hostname))
      .flatMap((route) => route.methods)
      .flatMap((name) => (name === 'get' ? ['get', 'head'] : name));
    // A handler has called next().
    const isHandled = methods.includes(method) || methods.includes('_all');
    if (isHandled || methods.length === 0) return new NotFoundException();
    const allowed = [...new Set(methods)].map((name) => name.toUpperCase());
    res.setHeader('Allow', allowed.join(', '));
    return new MethodNotAllowedException();
  }

  /**
   * Handles a request of another HTTP server, to which the Express application is passed as a listener or
   * in which it is mounted.
   */
  private handleForeignRequest(req: Request, res: Response, next: NextFunction): void {
    for (const [name, value] of this.apiOptions.defaultHeaders) res.setHeader(name, value);
    this.runMiddleware(req, res, next);
  }

  /**
   * Sends an error for a request that Node's HTTP parser rejected, if that is still possible, and closes
   * the connection. An open response to a previous request on the connection is sent first.
   */
  private rejectRequest(error: NodeJS.ErrnoException, socket: Socket): void {
    // Node emits 'clientError' again for further data.
    if (this.rejectedSockets.has(socket)) return;
    this.rejectedSockets.add(socket);
    const { connections } = this.apiOptions;
    const open = connections.getLastResponse(socket);
    const isBodyTruncated = open?.req.complete === false && error.code === 'HPE_INVALID_EOF_STATE';
    const isResponseStarted = open
      ? open.headersSent && !open.req.complete
      : connections.hasUnreadBody(socket);
    if (!socket.writable || isBodyTruncated || isResponseStarted) {
      socket.destroy();
      return;
    }
    if (open?.req.complete) {
      closeAfter(open, socket);
      return;
    }
    const [status, detail] = PARSER_ERRORS.get(error.code) ?? [400, 'The request is malformed'];
    if (open) {
      closeAfter(open, socket);
      this.sendError(open, status, detail);
    } else {
      this.sendErrorOnSocket(socket, new IncomingMessage(socket), status, detail);
    }
  }

  /** Sends an error on a connection for which Node has created no response. */
  private sendErrorOnSocket(
    socket: Socket,
    request: IncomingMessage,
    status: number,
    detail: string,
  ): void {
    const response = new this.messageClasses.ServerResponse(request);
    response.assignSocket(socket);
    closeAfter(response, socket);
    this.runMiddleware(request, response, () => {
      this.sendError(response, status, detail);
    });
  }

  private sendError(response: ServerResponse, status: number, detail: string): void {
    this.reply(response as Response, { detail }, status);
  }

  private runMiddleware(req: IncomingMessage, res: ServerResponse, done: () => void): void {
    let index = 0;
    const next = () => {
      const middleware = this.apiOptions.middleware[index++];
      if (middleware) middleware(req, res, next);
      else done();
    };
    next();
  }
}

/** Closes a connection after a response. */
function closeAfter(response: ServerResponse, socket: Socket): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
  // Node may have removed its own listener. A client that has disconnected is not an error.
  socket.on('error', () => undefined);
  response.once('finish', () => {
    socket.destroySoon();
  });
}

/** Serializes an object as Express does. Without settings, `JSON.stringify()` has a faster path. */
function stringify(body: object, settings: ExpressSettings): string {
  const { 'json replacer': replacer, 'json spaces': spaces, 'json escape': escape } = settings;
  const json = (
    replacer || spaces ? JSON.stringify(body, replacer, spaces) : JSON.stringify(body)
  ) as string | undefined;
  // A method toJSON() has returned undefined.
  if (json === undefined) return '';
  if (!escape) return json;
  return json.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** Returns whether the client has the version that the handler has named in `ETag` or `Last-Modified`. */
function isNotModified(response: Response): boolean {
  const { req } = response;
  if (!req.headers['if-none-match'] && !req.headers['if-modified-since']) return false;
  // Express considers any response fresh for `If-None-Match: *`.
  return (response.hasHeader('ETag') || response.hasHeader('Last-Modified')) && req.fresh;
}

/** Returns whether an error has the content type of the handler's own response. Nest checks this too. */
function isMislabeledError(
  contentType: number | string | string[],
  body: { statusCode?: unknown },
  statusCode = 200,
): boolean {
  const isErrorBody = statusCode >= 400 || Number(body.statusCode) >= 400;
  return isErrorBody && !JSON_TYPE.test(String(contentType));
}

/**
 * Passes errors of a file to the error filter as long as it can respond, unless the author has set an error
 * handler. Nest's own handler responds with 400 as text.
 */
function handleFileErrors(file: StreamableFile, response: Response): void {
  const { errorHandler } = file;
  if (String(errorHandler) !== DEFAULT_FILE_ERROR_HANDLER) return;
  file.setErrorHandler((error) => {
    if (response.destroyed) return;
    const { req } = response;
    // The stream may emit its error outside of the request's context.
    runInRequestContext(req.state, () => {
      if (response.headersSent) {
        req.state.hasFailedResponse = !response.writableEnded;
        errorHandler(error, response);
      } else {
        req.next?.(error);
      }
    });
  });
}
