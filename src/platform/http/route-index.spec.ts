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

const LITERALS = ['a', 'b', 'A', 'a.b'];
const PATTERNS = [...LITERALS, 'a-:id', ':id', ':id.json', '*rest', 'a{b}', '{:id}', '%61', ''];

function createRoutes(segments: string[]) {
  const route = fc.record<Route>({
    method: fc.constantFrom('get', 'head', 'post', 'options', 'all'),
    path: fc
      .array(fc.constantFrom(...segments), { maxLength: 4 })
      .map((parts) => `/${parts.join('/')}`),
    isMiddleware: fc.boolean(),
  });
  return fc.array(route, { maxLength: 15 });
}

// Routes such as `/:id` exclude most other routes from direct dispatch.
const routeTable = fc.oneof(createRoutes(PATTERNS), createRoutes([...LITERALS, 'a-:id']));
const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE'),
  path: fc
    .array(fc.constantFrom(...LITERALS, 'a-1', '1', '1.json', '%61', ''), { maxLength: 4 })
    .map((segments) => `/${segments.join('/')}`),
  /** Selects a route, whose path replaces `path`. */
  route: fc.option(fc.nat()),
});

/** Returns a path that the pattern of a route matches. */
function createMatchingPath(pattern: string): string {
  return pattern.replace(/[{}]/g, '').replace(/[:*]\w+/g, '1');
}

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

/** Dispatches the only route that can match, as the adapter does, and passes other requests to the index. */
function createDirectHandler(index: RouteIndex): RequestHandler {
  return (req, res, next) => {
    const route = index.findOnlyRoute(req.method, req.path);
    if (route) route.dispatch(req, res, next);
    else index.handle(req, res, next);
  };
}

/** Creates an Express router and an index with the same routes. */
function createBoth(routes: Route[]): { router: Router; index: RouteIndex } {
  const router = Router({ caseSensitive: true });
  const index = new RouteIndex();
  routes.forEach(({ method, path, isMiddleware }, number) => {
    const handler = createHandler(number, isMiddleware);
    try {
      (router as Required<Router>)[method](path, handler);
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
    let handledCount = 0;
    let directCount = 0;
    await fc.assert(
      fc.asyncProperty(
        routeTable,
        fc.array(request, { minLength: 1, maxLength: 20 }),
        async (routes, requests) => {
          const { router, index } = createBoth(routes);
          for (const { method, path, route } of requests) {
            const target = routes[(route ?? 0) % routes.length];
            const isRandom = route === null || target === undefined;
            const url = isRandom ? path : createMatchingPath(target.path);
            const sent = { method, url: `${url}?query=/a/b` };
            const expected = dispatch(router, sent);
            const actual = dispatch(index.handle, sent);
            const direct = dispatch(createDirectHandler(index), sent);
            // Express calls next() after the last route in a later iteration of the event loop.
            await new Promise((resolve) => setImmediate(resolve));
            expect(actual).toEqual(expected);
            expect(direct).toEqual(expected);
            if (expected.length > 1 || expected[0] !== 'not found') handledCount += 1;
            if (index.findOnlyRoute(method, url)) directCount += 1;
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(directCount).toBeGreaterThan(handledCount * 0.1);
  });

  it.each([
    ['a literal path', ['/a/b', '/a', '/'], 'GET', '/a/b', '/a/b'],
    ['HEAD', ['/a'], 'HEAD', '/a', '/a'],
    ['a method without a route', ['/a'], 'POST', '/a', undefined],
    ['an unknown path', ['/a'], 'GET', '/b', undefined],
    ['a trailing slash', ['/a'], 'GET', '/a/', undefined],
    ['a parameter', ['/:id'], 'GET', '/a', undefined],
    ['a literal path that a parameter matches too', ['/a', '/:id'], 'GET', '/a', undefined],
    ['two routes of one path', ['/a', '/a/'], 'GET', '/a', undefined],
    ['a path above a parameter', ['/a', '/a/:id'], 'GET', '/a', '/a'],
    ['a path below a parameter', ['/a/b', '/:id'], 'GET', '/a/b', '/a/b'],
  ])('finds the only route of %s', (_, paths, method, path, expected) => {
    const index = new RouteIndex();
    for (const registered of paths) index.add('get', registered, [() => undefined]);
    expect(index.findOnlyRoute(method, path)?.path).toBe(expected);
  });

  it('rejects an invalid pattern when it is added, as Express does', () => {
    expect(() => {
      new RouteIndex().add('get', '/files/*', [() => undefined]);
    }).toThrow(TypeError);
  });

  it('finds the only route again after another route was added', () => {
    const index = new RouteIndex();
    index.add('get', '/a', [() => undefined]);
    expect(index.findOnlyRoute('GET', '/a')?.path).toBe('/a');
    index.add('all', '/{*rest}', [() => undefined]);
    expect(index.findOnlyRoute('GET', '/a')).toBeUndefined();
  });
});
