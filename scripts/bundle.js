// Bundles the compiler's output in build/ and its dependencies into dist/: the service as main.js, and
// the smoke runner as smoke.js. See docs/decisions/bundling.md.
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'rolldown';

// Optional packages that Nest tries to load.
const OPTIONAL = ['@nestjs/microservices', '@nestjs/websockets', '@fastify/static'];

const FEATURES_ID = 'features';
const START_ID = 'start-feature:';

/**
 * Exports the exports of each feature's module by the name of its folder, for `discoverFeatures()`. Before each
 * module, it imports one that records the name of the feature, for the message of an error.
 */
const featuresModule = {
  name: 'features',
  resolveId: (id) => (id === FEATURES_ID || id.startsWith(START_ID) ? id : undefined),
  async load(id) {
    if (id.startsWith(START_ID)) {
      const name = JSON.stringify(id.slice(START_ID.length));
      const discovery = JSON.stringify(resolve('build/platform/features/discovery.js'));
      return `import { startBundledFeature } from ${discovery}; startBundledFeature(${name});`;
    }
    if (id !== FEATURES_ID) return undefined;
    // build/ still contains deleted features.
    const features = (await readdir('src/features').catch(() => []))
      .sort()
      .map((name) => ({ name, file: resolve(`build/features/${name}/${name}.module.js`) }))
      // A folder without a module aborts the start-up of the service, with an explanation.
      .filter(({ file }) => existsSync(file));
    const imports = features.map(
      ({ name, file }, index) =>
        `import ${JSON.stringify(START_ID + name)};\nimport * as feature${index} from ${JSON.stringify(file)};\n`,
    );
    const entries = features.map(({ name }, index) => `${JSON.stringify(name)}: feature${index}`);
    return `${imports.join('')}export const features = { ${entries.join(', ')} };`;
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

/** Packages that are bundled into a file of their own, in an order in which each needs only previous ones. */
const LARGE_PACKAGES = ['express', 'class-validator', '@nestjs/common', '@nestjs/core'];

/** Folders of the packages that are bundled. */
const packages = new Set();

const collectPackages = {
  name: 'collect-packages',
  generateBundle(_options, bundle) {
    for (const id of Object.values(bundle).flatMap(({ moduleIds = [] }) => moduleIds)) {
      const [folder] = /^[^\0].*[\\/]node_modules[\\/](@[^\\/]+[\\/])?[^\\/]+/.exec(id) ?? [];
      if (folder) packages.add(folder);
    }
  },
};

/** Returns the name and the license texts of a package. */
async function readLicense(folder) {
  const { name, version, license } = JSON.parse(
    await readFile(join(folder, 'package.json'), 'utf8'),
  );
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return [`${name} ${version}, license: ${license}\n`, ...texts].join('\n');
}

/**
 * How the service is split into files. Each file needs only previous ones, so it is complete before another
 * file uses it. Loaders such as those of OpenTelemetry read the exports of a file once, when it has run.
 */
const groups = [
  // main.ts imports it before everything else.
  { name: 'reflect-metadata', test: /[\\/]node_modules[\\/]reflect-metadata[\\/]/ },
  // One file for all packages would make start-up slower.
  ...LARGE_PACKAGES.map((name) => ({
    name: name.replace('@', '').replace('/', '-'),
    test: new RegExp(`[\\\\/]node_modules[\\\\/]${name.replace('/', '[\\\\/]')}[\\\\/]`),
  })),
  {
    name: 'platform',
    // main.ts imports the others separately: the first one before everything else, the second one on demand.
    test: /[\\/]build[\\/]platform[\\/](?!source-maps\.js|logging[\\/]terminal-format\.js)/,
  },
  // app.module.ts imports it.
  { name: 'smoke-test', test: /[\\/]build[\\/]features[\\/]smoke-test[\\/]/ },
  // All features are in one file: Node.js takes 0.8 ms to import a file, however small it is.
  { name: 'features', test: /[\\/]build[\\/]features[\\/]|^features$|^start-feature:/ },
];

const options = {
  platform: 'node',
  external: [
    // Served as static files from its package.
    'swagger-ui-dist',
    ...OPTIONAL.filter((name) => !existsSync(`node_modules/${name}`)),
  ].map((name) => new RegExp(`^${name}(/|$)`)),
};

const output = {
  dir: 'dist',
  format: 'esm',
  entryFileNames: '[name].js',
  // Nest, the log, and the OpenAPI document use the names of classes.
  keepNames: true,
  sourcemap: true,
  // Stack traces need only the names and the lines of the sources.
  sourcemapExcludeSources: true,
};

await build({
  ...options,
  plugins: [featuresModule, loadSourceMaps, collectPackages],
  input: { main: 'build/main.js', features: FEATURES_ID },
  output: { ...output, cleanDir: true, codeSplitting: { groups } },
});
await build({
  ...options,
  plugins: [loadSourceMaps, collectPackages],
  input: { smoke: 'build/smoke/main.js' },
  output: { ...output, codeSplitting: false },
});
const licenses = await Promise.all([...packages].sort().map(readLicense));
await writeFile('dist/THIRD-PARTY-LICENSES.txt', licenses.join(`\n${'-'.repeat(80)}\n\n`));
