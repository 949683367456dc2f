// Writes the OpenAPI document of the built application to openapi.json. With --check, fails instead
// if the committed file is out of date or the linter finds an error.
import { readFile, writeFile } from 'node:fs/promises';
import { createConfig, formatProblems, getTotals, lintFromString } from '@redocly/openapi-core';

const FILE = 'openapi.json';

const { createApp } = await import('../dist/app.js');
const { createOpenApiDocument } = await import('../dist/platform/docs/openapi-document.js');
const { discoverFeatures } = await import('../dist/platform/features/discovery.js');
const { openLogDestination } = await import('../dist/platform/logging/log-output.js');
const { parseSettings } = await import('../dist/platform/settings/parse-settings.js');
const { formatStartupError } = await import('../dist/platform/startup-error.js');
// A preview creates no providers, so it needs no settings of features.
const { settings, featureSettings } = parseSettings({ LOG_LEVEL: 'silent' });
let source = '';
try {
  const log = await openLogDestination(settings);
  const features = await discoverFeatures(new URL('../dist/features/', import.meta.url));
  const app = await createApp(settings, { log, features, featureSettings, preview: true });
  await app.init();
  source = `${JSON.stringify(await createOpenApiDocument(app), null, 2)}\n`;
  await app.close();
} catch (error) {
  console.error(formatStartupError(error));
  process.exit(1);
}

if (process.argv.includes('--check')) {
  const committed = await readFile(FILE, 'utf8').catch(() => undefined);
  if (committed !== source) {
    console.error(`${FILE} is out of date. Run: npm run openapi`);
    process.exitCode = 1;
  }
  // The handlers of `nest generate resource` have no summary yet.
  const config = await createConfig({
    extends: ['recommended'],
    rules: {
      'info-license': 'off',
      'operation-4xx-response': 'off',
      'operation-summary': 'warn',
    },
  });
  const problems = await lintFromString({ source, absoluteRef: FILE, config });
  const totals = getTotals(problems);
  formatProblems(problems, { format: 'codeframe', totals, version: '' });
  if (totals.errors > 0) process.exitCode = 1;
} else {
  await writeFile(FILE, source);
}
