// Bundles the compiler's output in build/ and its dependencies into dist/: the service as main.js, and
// the smoke runner as smoke.js. See docs/decisions/bundling.md.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { build } from 'rolldown';

// Optional packages that Nest tries to load.
const OPTIONAL = ['@nestjs/microservices', '@nestjs/websockets', '@fastify/static'];

const FEATURES_ID = 'features';

/**
 * Exports a function for each feature that runs its module. `discoverFeatures()` calls them. They contain
 * `require()`, because the bundler writes a file for each `import()`.
 */
const featuresModule = {
  name: 'features',
  resolveId: (id) => (id === FEATURES_ID ? id : undefined),
  async load(id) {
    if (id !== FEATURES_ID) return undefined;
    const importers = (await readdir('build/features').catch(() => []))
      .sort()
      .map((name) => [name, `./build/features/${name}/${name}.module.js`])
      // A folder without a module aborts the start-up of the service, with an explanation.
      .filter(([, file]) => existsSync(file))
      .map(
        ([name, file]) =>
          `${JSON.stringify(name)}: async () => require(${JSON.stringify(resolve(file))}),`,
      );
    return `export const features = {${importers.join('\n')}};`;
  },
};

/** Passes the compiler's source maps on, so that the bundle's source maps lead to the TypeScript sources. */
const loadSourceMaps = {
  name: 'load-source-maps',
  load: {
    filter: { id: /[\\/]build[\\/].*\.js$/ },
    async handler(id) {
      if (!existsSync(`${id}.map`)) return undefined;
      return { code: await readFile(id, 'utf8'), map: await readFile(`${id}.map`, 'utf8') };
    },
  },
};

await build({
  input: { main: 'build/main.js', smoke: 'build/smoke/main.js', features: FEATURES_ID },
  platform: 'node',
  plugins: [featuresModule, loadSourceMaps],
  preserveEntrySignatures: 'allow-extension',
  external: [
    // Served as static files from its package.
    'swagger-ui-dist',
    ...OPTIONAL.filter((name) => !existsSync(`node_modules/${name}`)),
  ].map((name) => new RegExp(`^${name}(/|$)`)),
  output: {
    dir: 'dist',
    cleanDir: true,
    format: 'esm',
    entryFileNames: '[name].js',
    // Nest, the log, and the OpenAPI document use the names of classes.
    keepNames: true,
    // All features are in one file: Node.js takes 0.8 ms to import a file, however small it is.
    codeSplitting: {
      groups: [{ name: 'features', test: /[\\/]build[\\/]features[\\/]|^features$/ }],
      includeDependenciesRecursively: false,
    },
    // Keeps the order in which modules run. Otherwise, chunks run before main.ts can catch their errors.
    strictExecutionOrder: true,
    sourcemap: true,
    // Stack traces need only the names and the lines of the sources.
    sourcemapExcludeSources: true,
  },
});
