// Bundles the compiler's output in build/ and its dependencies into dist/: the service as main.js, and
// the smoke runner as smoke.js. See docs/decisions/bundling.md.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { build } from 'rolldown';

// Optional packages that Nest tries to load.
const OPTIONAL = ['@nestjs/microservices', '@nestjs/websockets', '@fastify/static'];

const features = (await readdir('build/features').catch(() => []))
  .map((name) => `features/${name}/${name}.module`)
  // A folder without a module aborts the start-up of the service, with an explanation.
  .filter((entry) => existsSync(`build/${entry}.js`));

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
  // Features are discovered by file name at start-up, so each module keeps its file.
  input: {
    smoke: 'build/smoke/main.js',
    ...Object.fromEntries(['main', ...features].map((entry) => [entry, `build/${entry}.js`])),
  },
  platform: 'node',
  plugins: [loadSourceMaps],
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
    // Keeps the order in which modules run. Otherwise, chunks run before main.ts can catch their errors.
    strictExecutionOrder: true,
    sourcemap: true,
    // Stack traces need only the names and the lines of the sources.
    sourcemapExcludeSources: true,
  },
});
