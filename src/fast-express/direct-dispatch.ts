import { type Express, type Request, type Response, Router } from 'express';
import { getLayers, type Layer, type RouteMatch } from './route-index.js';

/** Calls the handlers of a route as Express does, without Express's router. */
export function dispatchDirectly(
  app: Express,
  { layer, route, params }: RouteMatch,
  req: Request,
  res: Response,
): void {
  const next = (error?: unknown) => {
    continueAfter(app, layer, error, req, res);
  };
  const { 'x-powered-by': sendsPoweredBy } = app.settings as { 'x-powered-by'?: boolean };
  if (sendsPoweredBy) res.setHeader('X-Powered-By', 'Express');
  req.res = res;
  req.next = next;
  req.originalUrl = req.url;
  req.baseUrl = '';
  req.params = params ?? (Object.create(null) as Request['params']);
  res.locals = Object.create(null) as Response['locals'];
  route.dispatch(req, res, next);
}

/** Passes a request to the middleware and routes after a route whose handlers have called `next()`. */
function continueAfter(
  app: Express,
  layer: Layer,
  error: unknown,
  req: Request,
  res: Response,
): void {
  const passError = Router().use((_req, _res, next) => {
    next(error);
  });
  const layers = getLayers(app.router);
  const stack = [...getLayers(passError), ...layers.slice(layers.indexOf(layer) + 1)];
  const router = Object.create(app.router, { stack: { value: stack } }) as Router;
  const rest = Object.create(app, { router: { value: router } }) as Express & {
    handle(req: Request, res: Response): void;
  };
  rest.handle(req, res);
}
