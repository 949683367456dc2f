import {
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
  Router,
} from 'express';

/** A route's pattern and lower-case methods. The method of `all()` is `_all`. */
export interface MatchedRoute {
  path: string;
  methods: string[];
  /** The last handler: that of the controller. */
  handler: object;
}

/** The methods of Nest's `RequestMethod`. */
export const ROUTE_METHODS = [
  'get',
  'head',
  'post',
  'put',
  'patch',
  'delete',
  'options',
  'all',
  'search',
  'propfind',
  'proppatch',
  'mkcol',
  'copy',
  'move',
  'lock',
  'unlock',
  'query',
] as const;

export type RouteMethod = (typeof ROUTE_METHODS)[number];

interface RegisteredRoute {
  method: RouteMethod;
  path: string;
  handlers: RequestHandler[];
  /** The route in a router of its own. */
  layer: RouteLayer | undefined;
  /** Whether the path has no parameters, wildcards or optional groups. */
  isLiteral: boolean;
  /** Number of routes that were registered before. */
  order: number;
}

/** Routes that have the same literal leading path segments. */
class RouteNode {
  readonly children = new Map<string, RouteNode>();
  readonly routes: RegisteredRoute[] = [];
  /** Routers with the routes of this node and its ancestors. Created when first used. */
  router: Router | undefined;
  optionsRouter: Router | undefined;
  /** Results of {@link findOnlyRoute}, by method. */
  readonly onlyRoutes = new Map<string, Route | undefined>();

  constructor(
    readonly path: string,
    readonly parent?: RouteNode,
  ) {}

  /** Returns the routes that can match a path which leads to this node, in registration order. */
  getCandidates(): RegisteredRoute[] {
    const inherited = this.parent?.getCandidates() ?? [];
    return [...inherited, ...this.routes].toSorted((a, b) => a.order - b.order);
  }

  /** Returns the route that handles a method for the path of this node, if no other can match it. */
  findOnlyRoute(method: string, hasMiddleware: (path: string) => boolean): Route | undefined {
    if (!this.onlyRoutes.has(method)) {
      const [first, ...others] = this.getCandidates().filter(
        (route) => handlesMethod(route, method.toLowerCase()) && route.layer?.match(this.path),
      );
      const isOnly = first?.isLiteral && others.length === 0 && !hasMiddleware(this.path);
      this.onlyRoutes.set(method, isOnly ? first.layer?.route : undefined);
    }
    return this.onlyRoutes.get(method);
  }
}

/**
 * Finds routes by their literal leading path segments. Express tests the routes of an application one
 * after the other, so each additional route makes all other requests slower.
 *
 * A request is passed to an Express router that contains only the routes whose literal segments lead to
 * the request's path, in registration order, so Express's rules of precedence apply.
 */
export class RouteIndex {
  private readonly root = new RouteNode('');
  private size = 0;

  /** @param hasMiddleware whether middleware that precedes the routes matches a path */
  constructor(private readonly hasMiddleware: (path: string) => boolean = () => false) {}

  /** @throws TypeError if the path is not a valid pattern, or if there is no handler */
  add(method: RouteMethod, path: string, handlers: RequestHandler[]): void {
    const [layer] = getLayers(createRouter([{ method, path, handlers }]));
    let node = this.root;
    for (const segment of getLiteralSegments(path)) {
      const child = node.children.get(segment) ?? new RouteNode(`${node.path}/${segment}`, node);
      node.children.set(segment, child);
      node = child;
    }
    const isLiteral = node.path === path.replace(/\/$/, '');
    node.routes.push({ method, path, handlers, layer, isLiteral, order: this.size++ });
    clearRouters(node);
  }

  /** Middleware that passes a request to its route. */
  readonly handle: RequestHandler = (req, res, next) => {
    const node = this.findNode(req.path);
    if (req.method === 'OPTIONS') {
      // Express responds to OPTIONS itself if a router has a route for another method.
      node.optionsRouter ??= createRouter(
        node.getCandidates().filter(({ method }) => method === 'options' || method === 'all'),
      );
      node.optionsRouter(req, res, next);
    } else {
      node.router ??= createRouter(node.getCandidates());
      // A router without routes would call next() in a later iteration of the event loop.
      if (node.router.stack.length === 0) next();
      else node.router(req, res, next);
    }
  };

  /** Returns the routes that match a path, in registration order. */
  findRoutes(path: string): MatchedRoute[] {
    const node = this.findNode(path);
    node.router ??= createRouter(node.getCandidates());
    return findMatchingRoutes(node.router, path);
  }

  /**
   * Returns the route of a request, if its path is literal and neither another route nor preceding middleware
   * can match. Dispatching it calls the same handlers as {@link handle}, without the matching of Express's router.
   */
  findOnlyRoute(method: string, path: string): Route | undefined {
    const node = this.findNode(path);
    return node.path === path ? node.findOnlyRoute(method, this.hasMiddleware) : undefined;
  }

  private findNode(path: string): RouteNode {
    let node = this.root;
    let start = 1;
    while (start <= path.length) {
      const slash = path.indexOf('/', start);
      const end = slash === -1 ? path.length : slash;
      const child = node.children.get(path.slice(start, end));
      if (child === undefined) break;
      node = child;
      start = end + 1;
    }
    return node;
  }
}

/** Returns the routes of a router, without those of nested routers, that match a path. */
export function findMatchingRoutes(
  router: Router,
  path: string,
  excluded = new WeakSet<object>(),
): MatchedRoute[] {
  return getLayers(router)
    .filter(({ route }) => route && !excluded.has(route))
    .filter((layer) => layer.match(path))
    .flatMap(({ route }) =>
      route
        ? [{ path: route.path, methods: Object.keys(route.methods), handler: getHandler(route) }]
        : [],
    );
}

/** Parts of Express's router that its types do not declare. */
interface RouteLayer {
  route?: Route;
  match(path: string): unknown;
}

export interface Route {
  path: string;
  stack: { handle: object }[];
  methods: Record<string, boolean>;
  /** Calls the handlers of the route, and `next` if they do not respond. */
  dispatch(req: Request, res: Response, next: NextFunction): void;
}

/** Returns the middleware and the routes of a router. */
export function getLayers(router: Router): RouteLayer[] {
  return router.stack as unknown as RouteLayer[];
}

function getHandler({ stack }: Route): object {
  return stack.at(-1)?.handle ?? {};
}

function handlesMethod(route: RegisteredRoute, method: string): boolean {
  return [method, 'all', method === 'head' && 'get'].includes(route.method);
}

function createRouter(routes: Pick<RegisteredRoute, 'method' | 'path' | 'handlers'>[]): Router {
  const router = Router({ caseSensitive: true });
  for (const { method, path, handlers } of routes) {
    // Express's types allow for Node versions without QUERY.
    (router as Required<Router>)[method](path, ...handlers);
  }
  return router;
}

function clearRouters(node: RouteNode): void {
  node.router = undefined;
  node.optionsRouter = undefined;
  node.onlyRoutes.clear();
  for (const child of node.children.values()) clearRouters(child);
}

/** Returns the segments before the first one with a parameter, a wildcard or an optional group. */
function getLiteralSegments(path: string): string[] {
  const segments = path.split('/').slice(1);
  const end = segments.findIndex((segment) => segment === '' || /[^\w.~$&',;=@-]/.test(segment));
  return end === -1 ? segments : segments.slice(0, end);
}
