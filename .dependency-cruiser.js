// Rules for imports, type-only ones included: `npm run lint:deps`.

/** The layers of src/platform, from the bottom up. A layer imports only from the layers below it. */
const PLATFORM_LAYERS = [
  ['settings/'],
  ['lifecycle/'],
  ['logging/'],
  ['http/'],
  ['docs/', 'health/', 'metrics/'],
  ['features/'],
];

/** A regular expression that matches every file of some platform layers. */
const matchLayers = (layers) => `^src/platform/(${layers.flat().join('|').replaceAll('.', '\\.')})`;

/** Where execution starts: the service, the smoke runner, and the features, which are discovered. */
const ENTRY_POINTS = '^src/(main|smoke/main|features/[^/]+/[^/]+\\.module)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Move what both files need into a third one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unused-files',
      comment: 'Nothing imports this file. Delete it.',
      severity: 'error',
      from: { path: ENTRY_POINTS },
      // `nest generate resource` creates an entity that nothing imports yet.
      to: { path: '^src/', pathNot: [ENTRY_POINTS, '\\.(spec|d|entity)\\.ts$'], reachable: false },
    },
    {
      name: 'no-orphans',
      comment: 'This file imports nothing, and nothing imports it. Delete it.',
      severity: 'error',
      from: { orphan: true, path: '^(test|schematics|scripts|bench)/' },
      to: {},
    },
    {
      name: 'platform-is-self-contained',
      comment: 'The platform works with any set of features, so it imports nothing outside itself.',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^src/', pathNot: '^src/platform/' },
    },
    ...PLATFORM_LAYERS.slice(0, -1).map((layer, index) => ({
      name: `platform-layers: ${layer.join(', ')}`,
      comment: 'A layer of the platform imports only from the layers below it.',
      severity: 'error',
      from: { path: matchLayers(layer) },
      to: { path: matchLayers(PLATFORM_LAYERS.slice(index + 1)) },
    })),
    {
      name: 'features-use-the-platform',
      comment: 'A feature imports from the platform and from other features, never from the rest.',
      severity: 'error',
      from: { path: '^src/features/' },
      to: { path: '^src/', pathNot: '^src/(platform|features)/' },
    },
    {
      name: 'features-are-independent',
      comment:
        'Of another feature, import only files with a role in their name, such as pets.service.ts, and no controller.',
      severity: 'error',
      from: { path: '^src/features/([^/]+)/' },
      to: {
        path: '^src/features/',
        pathNot: ['^src/features/$1/', '/[^/.]+\\.(?!controller\\.|spec\\.)[^/.]+\\.ts$'],
      },
    },
    {
      name: 'smoke-runner-is-separate',
      comment: 'The smoke runner tests a service from outside and shares only the version with it.',
      severity: 'error',
      from: { path: '^src/smoke/' },
      to: { path: '^src/', pathNot: ['^src/smoke/', '^src/platform/package-info\\.ts$'] },
    },
    {
      name: 'smoke-runner-is-not-imported',
      comment: 'The smoke runner is a program of its own.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/smoke/' },
      to: { path: '^src/smoke/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(bench/peers|dist)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Includes type-only imports, which the compiler removes.
    tsPreCompilationDeps: true,
    moduleSystems: ['es6'],
  },
};
