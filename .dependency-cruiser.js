// Rules for imports, type-only ones included: `npm run lint:deps`.

/** The layers of src/platform, from the bottom up. A layer imports only from the layers below it. */
const PLATFORM_LAYERS = [
  // All files of src/platform itself, except that which imports the modules.
  ['settings/', '(?!platform\\.module\\.)[^/]+$'],
  ['lifecycle/'],
  ['logging/'],
  ['http/'],
  ['docs/', 'health/', 'metrics/', 'management/', 'auth/', 'database/', 'jobs/', 'resources/'],
  ['features/', 'platform\\.module\\.ts$'],
];

/** A regular expression that matches every file of some platform layers. */
const matchLayers = (layers) => `^src/platform/(${layers.flat().join('|')})`;

/**
 * Where execution starts: the programs, the schematic, the features, which are discovered, and what only features
 * import.
 */
const ENTRY_POINTS =
  '^(src/(main|migrate|job|(features/[^/]+|platform/(auth|database|jobs))/[^/]+\\.(module|decorator)|platform/resources/[^/]+)|packages/[^/]+/src/(main|factory))\\.[jt]s$';

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
      to: {
        path: '^(src|packages)/',
        pathNot: [ENTRY_POINTS, '\\.(spec|d|entity)\\.ts$'],
        reachable: false,
      },
    },
    {
      name: 'no-orphans',
      comment: 'This file imports nothing, and nothing imports it. Delete it.',
      severity: 'error',
      from: { orphan: true, path: '^(test|scripts|bench)/' },
      to: {},
    },
    {
      name: 'no-dev-dependencies',
      comment:
        'The image does not contain the devDependencies. Run: npm install --save-prod, with the name of the package.',
      severity: 'error',
      from: { path: '^(src|packages/smoke-runner/src)/', pathNot: '\\.spec\\.ts$' },
      // Types are not needed at run time. The embedded database is for development only.
      to: {
        path: '(?<!@electric-sql/pglite/.*)$',
        dependencyTypes: ['npm-dev'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'platform-is-self-contained',
      comment:
        'The platform works with any set of features, so it imports only itself and libraries.',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: '^src/', pathNot: '^src/(platform|fast-express)/' },
    },
    {
      name: 'fast-express-is-a-library',
      comment: 'Nothing in fast-express depends on this service.',
      severity: 'error',
      from: { path: '^src/fast-express/' },
      to: { path: '^src/', pathNot: '^src/fast-express/' },
    },
    {
      name: 'fast-express-is-for-http',
      comment: 'Only the HTTP layer and the application use the HTTP adapter library.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(fast-express/|platform/http/|app\\.ts$)' },
      to: { path: '^src/fast-express/' },
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
      name: 'features-use-no-composition',
      comment:
        'These files create the application. A feature imports decorators, services, settings, and DTOs.',
      severity: 'error',
      from: { path: '^src/features/' },
      to: {
        path: '^src/platform/((docs|features|management)/|http/(api\\.adapter|platform-http\\.module)\\.ts$|platform\\.module\\.ts$)',
      },
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
      name: 'packages-are-self-contained',
      comment:
        'A package is a program of its own, so it imports no file of the service or of another package.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^(src|test|scripts|bench|packages)/', pathNot: '^packages/$1/' },
    },
    {
      name: 'service-imports-no-package',
      comment: 'The packages are programs of their own.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^packages/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^bench/peers/', '^dist/', '^packages/[^/]+/dist/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    // Includes type-only imports, which the compiler removes.
    tsPreCompilationDeps: true,
    moduleSystems: ['es6'],
  },
};
