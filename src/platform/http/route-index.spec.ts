import {
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express';
import fc from 'fast-check';
import { RouteIndex, type RouteMethod } from './route-index.js';

interface Route {
  method: RouteMethod;
  path: string;
  /** Whether the handler calls next() instead of responding. */
  isMiddleware: boolean;
}

const segment = fc.constantFrom(
  ...['a', 'b', 'A', 'a.b', 'a-:id', ':id', ':id.json', '*rest', 'a{b}', '{:id}', '%61', ''],
);
const route = fc.record<Route>({
  method: fc.constantFrom('get', 'head', 'post', 'options', 'all'),
  path: fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  isMiddleware: fc.boolean(),
});
const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE'),
  url: fc
    .array(fc.constantFrom('a', 'b', 'A', 'a.b', 'a-1', '1', '1.json', '%61', ''), { maxLength: 5 })
    .map((segments) => `/${segments.join('/')}?query=/a/b`),
});

/** Sends a request to a handler. Returns the numbers and parameters of the routes that handled it. */
function dispatch(handler: RequestHandler, { method, url }: { method: string; url: string }) {
  const handled: unknown[] = [];
  const req = { method, url, headers: {}, handled, path: url.replace(/\?.*/, '') };
  handler(req as unknown as Request, {} as Response, (error?: unknown) => {
    handled.push(error ?? 'not found');
  });
  return handled;
}

function createHandler(number: number, isMiddleware: boolean): RequestHandler {
  return (req: Request, _res: Response, next: NextFunction) => {
    const { handled } = req as unknown as { handled: unknown[] };
    handled.push({
      number,
      params: { ...req.params },
      route: (req.route as { path: string }).path,
    });
    if (isMiddleware) next();
  };
}

/** Creates an Express router and an index with the same routes. */
function createBoth(routes: Route[]): { router: Router; index: RouteIndex } {
  const router = Router({ caseSensitive: true });
  const index = new RouteIndex();
  routes.forEach(({ method, path, isMiddleware }, number) => {
    const handler = createHandler(number, isMiddleware);
    try {
      router[method](path, handler);
    } catch {
      // Not a valid pattern.
      return;
    }
    index.add(method, path, [handler]);
  });
  // The application has such a handler after all routes. Without it, Express responds to OPTIONS itself.
  router.use((req) => {
    (req as unknown as { handled: unknown[] }).handled.push('not found');
  });
  return { router, index };
}

describe('RouteIndex', () => {
  it('calls the same handlers with the same parameters as an Express router', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(route, { maxLength: 15 }),
        fc.array(request, { minLength: 1, maxLength: 20 }),
        async (routes, requests) => {
          const { router, index } = createBoth(routes);
          for (const sent of requests) {
            const [expected, actual] = [dispatch(router, sent), dispatch(index.handle, sent)];
            // Express calls next() after the last route in a later iteration of the event loop.
            await new Promise((resolve) => setImmediate(resolve));
            expect(actual).toEqual(expected);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
