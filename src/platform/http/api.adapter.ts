import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ListenOptions } from 'node:net';
import {
  type HttpException,
  MethodNotAllowedException,
  type NestApplicationOptions,
  NotFoundException,
  RequestMethod,
  StreamableFile,
} from '@nestjs/common';
import express, { type NextFunction, type Request, type Response } from 'express';
import { FastExpressAdapter, type Optimizations } from '../../fast-express/fast-express.adapter.js';
import type { Route } from '../../fast-express/route-index.js';
import type { ConnectionTracker } from '../lifecycle/connection-tracker.js';
import type { Settings } from '../settings/settings.js';
import { createRouteBodyParser, sendContinueOnRead } from './body-parser.js';
import { createCorsMiddleware } from './cors.js';
import { securityHeaders } from './default-headers.js';
import { handleFileErrors } from './file-errors.js';
import { MalformedRequestHandler } from './malformed-request.handler.js';
import { assignRequestId } from './request-id.js';
import type { RequestTracker } from './request-tracker.js';
import { servesHost } from './route-host.js';
import {
  createListenOptions,
  SERVER_OPTIONS,
  SOCKET_INACTIVITY_TIMEOUT_MS,
} from './server-options.js';

/** Methods of the adapter that add a route: `get`, `post`, `all` and so on. */
const ROUTE_METHODS = Object.values(RequestMethod)
  .filter((method) => typeof method === 'string')
  .map((method) => method.toLowerCase() as 'get');

/**
 * The Express adapter with FastAPI's HTTP behavior: paths are case-sensitive, bodies are parsed after a route
 * has matched, a known path with another method is a 405 with an `Allow` header, and JSON is not cached.
 */
export class ApiAdapter extends FastExpressAdapter {
  private addLastRoutes: () => void = () => undefined;

  constructor(
    private readonly settings: Settings,
    optimizations?: Partial<Optimizations>,
  ) {
    super(
      express()
        .set('case sensitive routing', true)
        .set('trust proxy', settings.TRUST_PROXY)
        .disable('x-powered-by'),
      {
        defaultHeaders: securityHeaders,
        jsonHeaders: [['Cache-Control', 'no-store']],
        serverOptions: SERVER_OPTIONS,
        optimizations,
      },
    );
    for (const method of ROUTE_METHODS) {
      const addRoute = this[method].bind(this) as (...args: unknown[]) => unknown;
      this[method] = (path: unknown, ...handlers: unknown[]) => {
        const parseBody = createRouteBodyParser(method, handlers.at(-1), settings.BODY_LIMIT);
        return addRoute(path, ...(parseBody ? [parseBody] : []), ...handlers);
      };
    }
  }

  /** Sets the function that adds the last routes, after the routes of all controllers. Replaces the previous one. */
  setLastRoutes(addLastRoutes: () => void): void {
    this.addLastRoutes = addLastRoutes;
  }

  /**
   * Adds the middleware that precedes routing. It assigns the id of a request, tracks it, responds
   * to a malformed one, and applies `CORS_ORIGINS`, in this order. Call it once, after `initHttpServer()`.
   */
  track(connections: ConnectionTracker, requests: RequestTracker): void {
    const malformedRequests = new MalformedRequestHandler(this, connections, requests);
    this.useBeforeRouting(
      malformedRequests.ignore,
      assignRequestId,
      requests.track,
      malformedRequests.respond,
    );
    // Not with enableCors(), which would make every request pass Express's router.
    const { CORS_ORIGINS } = this.settings;
    if (CORS_ORIGINS) this.useBeforeRouting(createCorsMiddleware(CORS_ORIGINS));
    const server = this.getHttpServer() as Server;
    connections.watch(server);
    malformedRequests.watch(server);
  }

  override initHttpServer(options?: NestApplicationOptions): void {
    super.initHttpServer(options);
    const server = this.getHttpServer() as Server;
    server.timeout = SOCKET_INACTIVITY_TIMEOUT_MS;
    // Tracing agents see only 'request' events.
    const emitRequest = (req: IncomingMessage, res: ServerResponse) => {
      server.emit('request', req, res);
    };
    server
      .on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
        sendContinueOnRead(req, res);
        emitRequest(req, res);
      })
      // Other expectations are ignored, as FastAPI's server does, instead of a 417 response.
      .on('checkExpectation', emitRequest);
  }

  /** Takes the arguments of `listen()` of Node's servers. */
  override listen(address: string | number | ListenOptions = 0, ...rest: unknown[]): Server {
    const callback = rest.find((value) => typeof value === 'function') as (() => void) | undefined;
    const options = createListenOptions(address, rest, this.settings.REUSE_PORT);
    return (this.getHttpServer() as Server).listen(options, callback);
  }

  override setNotFoundHandler(): void {
    this.addLastRoutes();
    this.use((req: Request, res: Response, next: NextFunction) => {
      next(this.createNoMatchError(req, res));
    });
  }

  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    // Node's HTTP parser may have rejected the rest of the request, which was then responded to.
    if (response.writableEnded) return response;
    if (body instanceof StreamableFile) handleFileErrors(body, response);
    return super.reply(response, body, statusCode);
  }

  /** Returns a 405 if the path has handlers for other methods only, otherwise a 404. Middleware is not a handler. */
  private createNoMatchError(req: Request, res: Response): HttpException {
    if (req.route && this.isMiddleware(req.route as Route)) req.route = undefined;
    const method = req.method.toLowerCase();
    const methods = this.findRoutes(req.path)
      .filter((route) => servesHost(route, req.hostname))
      .flatMap((route) => Object.keys(route.methods))
      .flatMap((name) => (name === 'get' ? ['get', 'head'] : name));
    // A handler has called next().
    const isHandled = methods.includes(method) || methods.includes('_all');
    if (isHandled || methods.length === 0) return new NotFoundException();
    const allowed = [...new Set(methods)].map((name) => name.toUpperCase());
    // On the response, not on the exception: if an exception filter of a feature responds, the client still gets it.
    res.setHeader('Allow', allowed.join(', '));
    return new MethodNotAllowedException();
  }
}
