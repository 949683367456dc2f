import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { jest } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express';
import fc from 'fast-check';
import { FastExpressAdapter } from './fast-express.adapter.js';
import { getLayers, RouteIndex } from './route-index.js';

interface Registration {
  method: 'get' | 'head' | 'post' | 'options' | 'all' | 'use';
  path: string;
  /** What the handler does. */
  action: 'respond' | 'next' | 'skip the route' | 'fail' | 'rewrite the URL';
}

const LITERALS = ['a', 'b', 'A', 'a.b'];
const PATTERNS = [...LITERALS, 'a-:id', ':id', ':id.json', '*rest', 'a{b}', '{:id}', '%61', ''];

const routes = fc.array(
  fc.record<Registration>({
    method: fc.constantFrom('get', 'get', 'head', 'post', 'options', 'all', 'use'),
    path: fc
      .array(fc.constantFrom(...PATTERNS), { maxLength: 4 })
      .map((segments) => `/${segments.join('/')}`),
    action: fc.constantFrom('respond', 'next', 'skip the route', 'fail', 'rewrite the URL'),
  }),
  { maxLength: 15 },
);

const sentRequest = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE'),
  path: fc
    .array(fc.constantFrom(...LITERALS, 'a-1', '1', '1.json', '%61', '1%20', '1#', '\u00a0', ''), {
      maxLength: 4,
    })
    .map((segments) => `/${segments.join('/')}`),
  /** Selects a route, whose path replaces `path`. */
  route: fc.option(fc.nat(), { freq: 4 }),
});

/** Returns a path that the pattern of a route matches. */
function createMatchingPath(pattern: string): string {
  return pattern.replace(/[{}]/g, '').replace(/[:*]\w+/g, '1');
}

type RecordedRequest = Request & { handled: unknown[] };

function createHandler(number: number, { action }: Registration): RequestHandler {
  return (req, _res, next) => {
    const { handled, params, url, baseUrl, originalUrl } = req as RecordedRequest;
    const route = (req.route as { path: string } | undefined)?.path;
    handled.push({ number, params: { ...params }, route, url, baseUrl, originalUrl });
    if (action === 'rewrite the URL') req.url = '/a';
    if (action === 'fail') throw new Error(`by ${number}`);
    if (action !== 'respond') next(action === 'skip the route' ? 'route' : undefined);
  };
}

function register(app: Express, registrations: Registration[]): void {
  registrations.forEach((registration, number) => {
    const handler = createHandler(number, registration);
    try {
      app[registration.method](registration.path, handler);
    } catch {
      // Not a valid pattern.
    }
  });
  app.use((req, _res, next) => {
    (req as RecordedRequest).handled.push('not found');
    next(new Error('after all routes'));
  });
  app.use((error: unknown, req: Request, _res: Response, _next: NextFunction) => {
    (req as RecordedRequest).handled.push(String(error));
  });
}

function createRequest(method: string, url: string): RecordedRequest {
  const req = new IncomingMessage(new Socket());
  return Object.assign(req, { method, url, handled: [] }) as unknown as RecordedRequest;
}

describe('RouteIndex', () => {
  it.each([true, false])(
    'calls the same handlers as Express, with the same parameters (case-sensitive: %s)',
    async (isCaseSensitive) => {
      const find = jest.spyOn(RouteIndex.prototype, 'find');
      let count = 0;
      const createExpress = () => express().set('case sensitive routing', isCaseSensitive);
      await fc.assert(
        fc.asyncProperty(
          routes,
          fc.array(sentRequest, { minLength: 1, maxLength: 20 }),
          async (registrations, requests) => {
            const reference = new ExpressAdapter(createExpress());
            const adapter = new FastExpressAdapter(createExpress());
            register(reference.getInstance<Express>(), registrations);
            register(adapter.getInstance<Express>(), registrations);
            adapter.initHttpServer();
            for (const { method, path, route } of requests) {
              const target = registrations[(route ?? 0) % registrations.length];
              const isRandom = route === null || target === undefined;
              const url = `${isRandom ? path : createMatchingPath(target.path)}?query=/a/b`;
              const expected = createRequest(method, url);
              reference.getInstance<Express>()(
                expected,
                adapter.createResponse(expected) as Response,
              );
              const actual = createRequest(method, url);
              adapter.getHttpServer().emit('request', actual, adapter.createResponse(actual));
              // Express calls some handlers in a later iteration of the event loop.
              await new Promise((resolve) => setImmediate(resolve));
              expect(actual.handled).toEqual(expected.handled);
              count += 1;
            }
          },
        ),
        { numRuns: 300 },
      );
      const found = find.mock.results.filter(({ value }) => value !== undefined);
      find.mockRestore();
      expect(found.length).toBeGreaterThan(count * 0.1);
    },
  );

  const respond: RequestHandler = () => undefined;

  function createIndex(router: Router): RouteIndex {
    return new RouteIndex(router, [], new WeakSet());
  }

  it.each([
    ['a literal path', ['/a/b', '/a', '/'], 'GET', '/a/b', '/a/b'],
    ['HEAD', ['/a'], 'HEAD', '/a', '/a'],
    ['a method without a route', ['/a'], 'POST', '/a', undefined],
    ['an unknown path', ['/a'], 'GET', '/b', undefined],
    ['a trailing slash', ['/a'], 'GET', '/a/', '/a'],
    ['a parameter', ['/:id'], 'GET', '/a', '/:id'],
    ['an encoded path', ['/:id'], 'GET', '/%61', undefined],
    ['a path that a URL ends before', ['/:id'], 'GET', '/a#b', undefined],
    ['a literal path before a parameter', ['/a', '/:id'], 'GET', '/a', '/a'],
    ['a literal path after a parameter', ['/:id', '/a'], 'GET', '/a', '/:id'],
    ['a path below a parameter', ['/:id', '/a/b'], 'GET', '/a/b', '/a/b'],
    ['a wildcard', ['/a/*rest'], 'GET', '/a/b/c', '/a/*rest'],
  ])('finds the first route of %s', (_, paths, method, path, expected) => {
    const router = Router();
    for (const registered of paths) router.get(registered, respond);
    const index = createIndex(router);
    expect(index.find(method, path)?.route.path).toBe(expected);
    expect(index.find(method, path)?.route.path).toBe(expected);
  });

  it('finds no route after middleware that matches the path', () => {
    const router = Router().use('/a', respond).get('/a', respond).get('/b', respond);
    const index = createIndex(router);
    expect(index.find('GET', '/a')).toBeUndefined();
    expect(index.find('GET', '/b')?.route.path).toBe('/b');
  });

  it('finds no route with a parameter that has a callback', () => {
    const router = Router().get('/a/:id', respond).get('/b/:name', respond);
    router.param('id', respond);
    expect(createIndex(router).find('GET', '/a/1')).toBeUndefined();
    expect(createIndex(router).find('GET', '/b/1')?.params).toEqual({ name: '1' });
  });

  it('finds a route that was added after the first request', () => {
    const router = Router().get('/:id', respond);
    const index = createIndex(router);
    expect(index.find('GET', '/a/b')).toBeUndefined();
    router.get('/a/b', respond);
    expect(index.find('GET', '/a/b')?.route.path).toBe('/a/b');
  });

  it('returns new parameters for each request', () => {
    const index = createIndex(Router().get('/a/:id', respond).get('/:id', respond));
    const first = index.find('GET', '/a');
    expect(first?.params).toEqual({ id: 'a' });
    expect(index.find('GET', '/a')?.params).not.toBe(first?.params);
  });

  it('tests only routes with the literal segments of the path', () => {
    const router = Router().get('/a/:id', respond).get('/b/:id', respond);
    const matched: number[] = [];
    getLayers(router).forEach((layer, number) => {
      const match = layer.match.bind(layer);
      layer.match = (path) => {
        matched.push(number);
        return match(path);
      };
    });
    createIndex(router).find('GET', '/b/1');
    expect(matched).toEqual([1]);
  });
});
