import { tracingChannel } from 'node:diagnostics_channel';
import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { type NestApplicationOptions, type RequestMethod } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type Express, type Request, type Response } from 'express';
import { dispatchDirectly } from './direct-dispatch.js';
import { isJsonBody, sendJson } from './json-response.js';
import {
  createMessageClasses,
  DefaultHeaders,
  type DefaultHeadersState,
  type HeaderField,
  isReceived,
  omitHeaders,
} from './message-classes.js';
import { getLayers, type Route, RouteIndex } from './route-index.js';

/** The parts that make the adapter faster than Nest's. README.md explains them. */
export interface Optimizations {
  messageClasses: boolean;
  headersAsText: boolean;
  directDispatch: boolean;
  routeIndex: boolean;
  jsonReply: boolean;
}

export interface FastExpressOptions {
  /** Headers of every response, unless it sets them itself. */
  defaultHeaders?: HeaderField[];
  /** Headers of the JSON that handlers return, unless they set them themselves. */
  jsonHeaders?: HeaderField[];
  /** Options of the HTTP server, such as its time limits. */
  serverOptions?: ServerOptions;
  /** All are on by default. */
  optimizations?: Partial<Optimizations>;
}

/** Middleware for `node:http`: the methods of Express are not available yet. */
export type ServerMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: () => void,
) => void;

/** Where Express's router publishes each request, with its route. */
const expressRequests = tracingChannel('express.router.request');

/**
 * Nest's adapter for Express, with less work per request.
 *
 * @example
 * const adapter = new FastExpressAdapter(express().disable('x-powered-by'));
 * const app = await NestFactory.create<NestExpressApplication>(AppModule, adapter);
 */
export class FastExpressAdapter extends ExpressAdapter {
  private readonly defaultHeaders: HeaderField[];
  private readonly jsonHeaders: HeaderField[];
  /** The default headers and the headers of JSON responses. */
  private readonly jsonDefaults: DefaultHeaders;
  private readonly serverOptions: ServerOptions;
  private readonly optimizations: Optimizations;
  private readonly messageClasses: Partial<ReturnType<typeof createMessageClasses>>;
  private readonly serverMiddleware: ServerMiddleware[] = [];
  /** Routes of Express that contain the middleware of a module. */
  private readonly middlewareRoutes = new WeakSet<Route>();
  private readonly routes: RouteIndex;
  private hasRequestHooks = false;

  constructor(
    app: Express = express(),
    {
      defaultHeaders = [],
      jsonHeaders = [],
      serverOptions = {},
      optimizations = {},
    }: FastExpressOptions = {},
  ) {
    const count = app.router.stack.length;
    super(
      app.use((req, res, next) => {
        if (isReceived in req) {
          next();
          return;
        }
        // A request of another HTTP server, which calls or mounts the Express application.
        Object.assign(req, { [isReceived]: true });
        this.setDefaultHeaders(res);
        Object.assign(res, { hasSetDefaults: true });
        this.receive(req, res, next);
      }),
    );
    const ownLayers = getLayers(app.router).slice(count);
    const { messageClasses = true } = optimizations;
    this.optimizations = {
      headersAsText: true,
      directDispatch: true,
      routeIndex: true,
      jsonReply: true,
      ...optimizations,
      messageClasses,
      // Other classes have the methods of Express only after its application has received the request.
      ...(!messageClasses && { headersAsText: false, directDispatch: false }),
    };
    this.defaultHeaders = defaultHeaders;
    this.jsonHeaders = this.optimizations.jsonReply
      ? [...jsonHeaders, ['Content-Type', 'application/json']]
      : jsonHeaders;
    const jsonNames = this.jsonHeaders.map(([name]) => name);
    this.jsonDefaults = new DefaultHeaders([
      ...omitHeaders(defaultHeaders, jsonNames),
      ...this.jsonHeaders,
    ]);
    this.serverOptions = serverOptions;
    this.messageClasses = messageClasses
      ? createMessageClasses(app, this.optimizations.headersAsText ? defaultHeaders : [])
      : {};
    this.routes = new RouteIndex(
      app.router,
      ownLayers,
      this.middlewareRoutes,
      this.optimizations.routeIndex,
    );
  }

  /**
   * Adds middleware that runs once for each request, before all other middleware. Unlike middleware of
   * `use()`, it does not make requests pass Express's router.
   */
  useBeforeRouting(...middleware: ServerMiddleware[]): void {
    this.serverMiddleware.push(...middleware);
  }

  /** Returns the routes that match a path, in registration order, without the middleware of modules. */
  findRoutes(path: string): Route[] {
    return getLayers(this.getInstance<Express>().router)
      .filter(({ route }) => route && !this.isMiddleware(route))
      .filter((layer) => layer.match(path))
      .flatMap(({ route }) => route ?? []);
  }

  /** Returns whether a route contains the middleware of a module. */
  isMiddleware(route: Route): boolean {
    return this.middlewareRoutes.has(route);
  }

  /** Creates a response with the default headers to a request that the HTTP server has not received. */
  createResponse(request: IncomingMessage): ServerResponse {
    const response = new (this.messageClasses.ServerResponse ?? ServerResponse)(request);
    if (!this.optimizations.headersAsText) this.setDefaultHeaders(response);
    return response;
  }

  override initHttpServer({ httpsOptions }: NestApplicationOptions = {}): void {
    const options = { ...this.serverOptions, ...this.messageClasses };
    const handle = (req: IncomingMessage, res: ServerResponse) => {
      if (!this.optimizations.messageClasses) Object.assign(req, { [isReceived]: true });
      if (!this.optimizations.headersAsText) this.setDefaultHeaders(res);
      this.receive(req, res, () => {
        this.dispatch(req as Request, res as Response);
      });
    };
    this.httpServer = httpsOptions
      ? createHttpsServer({ ...options, ...httpsOptions }, handle)
      : createServer(options, handle);
  }

  override setOnRequestHook(...args: Parameters<ExpressAdapter['setOnRequestHook']>): void {
    super.setOnRequestHook(...args);
    this.hasRequestHooks = true;
  }

  override setOnResponseHook(...args: Parameters<ExpressAdapter['setOnResponseHook']>): void {
    super.setOnResponseHook(...args);
    this.hasRequestHooks = true;
  }

  override createMiddlewareFactory(
    method: RequestMethod,
  ): ReturnType<ExpressAdapter['createMiddlewareFactory']> {
    const { router } = this.getInstance<Express>();
    const addMiddleware = super.createMiddlewareFactory(method);
    return (path, callback) => {
      const count = router.stack.length;
      addMiddleware(path, callback);
      for (const { route } of getLayers(router).slice(count)) {
        if (route) this.middlewareRoutes.add(route);
      }
    };
  }

  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (!isJsonBody(body, statusCode ?? response.statusCode)) {
      return super.reply(response, body, statusCode);
    }
    this.addJsonHeaders(response);
    if (!this.optimizations.jsonReply) return super.reply(response, body, statusCode);
    if (statusCode !== undefined) response.status(statusCode);
    return sendJson(response, body, statusCode);
  }

  private addJsonHeaders(response: Response & Partial<DefaultHeadersState>): void {
    if (this.optimizations.headersAsText && response.defaults && !response.hasSetDefaults) {
      response.defaults = this.jsonDefaults;
      return;
    }
    for (const [name, value] of this.jsonHeaders) {
      if (!response.hasHeader(name)) response.setHeader(name, value);
    }
  }

  private setDefaultHeaders(response: ServerResponse): void {
    for (const [name, value] of this.defaultHeaders) response.setHeader(name, value);
  }

  /** Runs the middleware of {@link useBeforeRouting}. */
  private receive(req: IncomingMessage, res: ServerResponse, done: () => void): void {
    let index = 0;
    const next = () => {
      const middleware = this.serverMiddleware[index++];
      if (middleware) middleware(req, res, next);
      else done();
    };
    next();
  }

  /** Calls the first matching route directly, unless middleware precedes it. */
  private dispatch(req: Request, res: Response): void {
    const app = this.getInstance<Express>();
    const isDirect =
      this.optimizations.directDispatch &&
      !this.hasRequestHooks &&
      !expressRequests.start.hasSubscribers;
    const match = isDirect ? this.routes.find(req.method, getPath(req.url)) : undefined;
    if (match) dispatchDirectly(app, match, req, res);
    else app(req, res);
  }
}

function getPath(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}
