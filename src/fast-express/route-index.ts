import type { NextFunction, Request, Response, Router } from 'express';

/** A route of Express. */
export interface Route {
  path: unknown;
  /** Lower-case methods. The method of `all()` is `_all`. */
  methods: Record<string, boolean>;
  stack: { handle: object }[];
  /** Calls the handlers of the route, and `next` if they do not respond. */
  dispatch(req: Request, res: Response, next: NextFunction): void;
}

/** Middleware or a route of Express's router. Its types declare only a part of it. */
export interface Layer {
  route?: Route;
  match(path: string): { params: Record<string, string>; keys: string[] } | false;
}

export interface RouteMatch {
  layer: Layer;
  route: Route;
  /** Undefined if the path of the route is a string without parameters. */
  params?: Record<string, string>;
}

/** What can match the paths below a literal prefix. */
interface Candidates {
  prefix: string;
  layers: Layer[];
  /** Matches of the path that equals the prefix, by method. */
  matches: Map<string, RouteMatch>;
}

/** Paths without characters that Express decodes, or at which it ends the path. */
const PLAIN_PATH = /^\/[!"$&-~]*$/;

/**
 * Finds the route that Express would call first. Express tests its routes one after the other; the index
 * tests only the routes whose literal leading path segments are equal to the request's.
 */
export class RouteIndex {
  /** By prefix. Undefined until a path below the prefix is requested. */
  private readonly candidates = new Map<string, Candidates | undefined>();
  /** Number of layers for which {@link candidates} is valid. */
  private size = 0;

  /**
   * @param ignored layers that do nothing for a request whose route is called directly
   * @param middleware routes that contain middleware instead of a handler
   * @param comparesPrefixes whether to test only the routes with the literal segments of the request
   */
  constructor(
    private readonly router: Router,
    private readonly ignored: Layer[],
    private readonly middleware: WeakSet<Route>,
    private readonly comparesPrefixes = true,
  ) {}

  /** Returns undefined if no route handles the request, or if middleware precedes the route. */
  find(method: string, path: string): RouteMatch | undefined {
    const { prefix, layers, matches } = this.getCandidates(path);
    const known = prefix === path ? matches.get(method) : undefined;
    if (known) return known;
    const match = this.findMatch(layers, method, path);
    if (prefix === path && match && !match.params) matches.set(method, match);
    return match;
  }

  private findMatch(layers: Layer[], method: string, path: string): RouteMatch | undefined {
    if (!PLAIN_PATH.test(path)) return undefined;
    for (const layer of layers) {
      const match = layer.match(path);
      if (!match) continue;
      const { route } = layer;
      if (!route || this.middleware.has(route) || this.hasCallbacks(match.keys)) return undefined;
      if (!handlesMethod(route, method)) continue;
      const isLiteral = typeof route.path === 'string' && match.keys.length === 0;
      return { layer, route, params: isLiteral ? undefined : match.params };
    }
    return undefined;
  }

  private getCandidates(path: string): Candidates {
    const layers = getLayers(this.router);
    if (layers.length !== this.size) this.reset(layers);
    // The usual case: the path of a route without parameters.
    const known = this.candidates.get(path);
    if (known) return known;
    const prefix = this.findPrefix(this.normalizeCase(path));
    const candidates = this.candidates.get(prefix) ?? {
      prefix,
      layers: layers.filter((layer) => this.isCandidate(layer, prefix)),
      matches: new Map(),
    };
    this.candidates.set(prefix, candidates);
    return candidates;
  }

  private isCandidate(layer: Layer, prefix: string): boolean {
    return !this.ignored.includes(layer) && `${prefix}/`.startsWith(`${this.getPrefix(layer)}/`);
  }

  private reset(layers: Layer[]): void {
    this.size = layers.length;
    this.candidates.clear();
    for (const layer of layers) {
      const prefix = this.getPrefix(layer);
      for (let end = 0; end !== -1; end = prefix.indexOf('/', end + 1)) {
        this.candidates.set(prefix.slice(0, end), undefined);
      }
      this.candidates.set(prefix, undefined);
    }
  }

  /** Returns the longest literal prefix of a route that consists of leading segments of a path. */
  private findPrefix(path: string): string {
    if (this.candidates.has(path)) return path;
    let prefix = '';
    for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
      const longer = path.slice(0, end);
      if (!this.candidates.has(longer)) break;
      prefix = longer;
    }
    return prefix;
  }

  /** Returns the path segments of a route before the first one with a parameter or wildcard. */
  private getPrefix({ route }: Layer): string {
    if (typeof route?.path !== 'string' || !this.comparesPrefixes) return '';
    const segments = route.path.split('/').slice(1);
    const end = segments.findIndex((segment) => !/^[\w.~$&',;=@-]+$/.test(segment));
    const literal = end === -1 ? segments : segments.slice(0, end);
    return this.normalizeCase(literal.map((segment) => `/${segment}`).join(''));
  }

  private normalizeCase(path: string): string {
    const { caseSensitive } = this.router as unknown as { caseSensitive?: boolean };
    return caseSensitive ? path : path.toLowerCase();
  }

  /** Returns whether `app.param()` has registered a callback for one of these parameters. */
  private hasCallbacks(keys: string[]): boolean {
    const { params } = this.router as unknown as { params: object };
    return keys.some((key) => key in params);
  }
}

/** Returns the middleware and the routes of a router. */
export function getLayers(router: Router): Layer[] {
  return router.stack as unknown as Layer[];
}

function handlesMethod({ methods }: Route, method: string): boolean {
  const name = method.toLowerCase();
  return Boolean(methods._all ?? methods[name] ?? (name === 'head' && methods.get));
}
