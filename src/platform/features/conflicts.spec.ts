import { RequestMethod } from '@nestjs/common';
import { RouteConflictDetector } from '@nestjs/core/router/route-conflict-detector.js';
import { detectOnlyDuplicateRoutes } from './conflicts.js';

type Routes = Parameters<typeof RouteConflictDetector.detect>[0];

const HOSTS = [undefined, 'a.example', /^b\./];
const METHODS = [RequestMethod.GET, RequestMethod.POST, RequestMethod.ALL];
const PATHS = ['/a', '/:id', '/a/:id', '/a/*path', '/files/:name.:ext', '/a{/:id}'];

/** Creates every combination of method, path and host, each of them `times` times. */
function createRoutes(times: number): Routes {
  const routes = METHODS.flatMap((method) =>
    PATHS.flatMap((path) => HOSTS.map((host) => ({ method, path, host }))),
  );
  return Array.from({ length: times }, () =>
    routes.map((route) => ({ ...route })),
  ).flat() as Routes;
}

describe('detectOnlyDuplicateRoutes', () => {
  const { detect } = RouteConflictDetector as { detect: typeof RouteConflictDetector.detect };

  afterEach(() => {
    RouteConflictDetector.detect = detect;
  });

  it("finds the same duplicates as Nest's detection, in the same order", () => {
    const routes = createRoutes(3);
    const findDuplicates = () =>
      RouteConflictDetector.detect(routes, undefined)
        .filter(({ kind }) => kind === 'duplicate')
        .map(({ winner, shadowed }) => [routes.indexOf(winner), routes.indexOf(shadowed)]);
    const expected = findDuplicates();
    expect(expected).toHaveLength(3 * HOSTS.length * METHODS.length * PATHS.length);
    detectOnlyDuplicateRoutes();
    expect(findDuplicates()).toEqual(expected);
  });

  it('does not compare routes with different paths', () => {
    const routes = Array.from({ length: 10 }, (_, i) => ({
      method: RequestMethod.GET,
      path: `/:a${i}`,
    }));
    expect(RouteConflictDetector.detect(routes as Routes, undefined)).toHaveLength(45);
    detectOnlyDuplicateRoutes();
    expect(RouteConflictDetector.detect(routes as Routes, undefined)).toEqual([]);
  });
});
