import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Finds everything in the project that has the same name as a part of the new feature.
 *
 * @param {import('./payload.js').Feature} feature
 * @param {string} root the folder of the project
 * @returns {string[]} an error message for each conflict
 */
export function findConflicts({ name, folder, className, path, fields }, root) {
  const features = listFeatures(root);
  const test = `test/features/${folder}.e2e-spec.ts`;
  const twin = features.find((other) => toClassName(other) === className);
  const { paths = {}, components = {} } = readOpenApiDocument(root);
  const hasFields = fields.length > 0;
  const routes = [
    { method: 'get', path: `${path}/smoke-test` },
    ...(hasFields ? [{ method: 'post', path }] : []),
  ];
  const schemas = [`${className}Status`, ...(hasFields ? [`${className}Request`] : [])];

  const conflicts = [];
  if (features.includes(folder)) {
    conflicts.push(`src/features/${folder} already exists. Choose another name.`);
  } else if (twin !== undefined) {
    conflicts.push(
      `the class ${className}Module already exists in src/features/${twin}. Choose another name.`,
    );
  } else {
    if (existsSync(join(root, test)))
      conflicts.push(`${test} already exists. Choose another name.`);
    for (const route of routes) {
      if (Object.hasOwn(paths[route.path] ?? {}, route.method)) {
        conflicts.push(
          `the route ${route.method.toUpperCase()} ${route.path} already exists. Choose another path.`,
        );
      }
    }
    for (const schema of schemas) {
      if (Object.hasOwn(components.schemas ?? {}, schema)) {
        conflicts.push(`the OpenAPI schema ${schema} already exists. Choose another name.`);
      }
    }
  }
  return conflicts.map((conflict) => `${name}: ${conflict}`);
}

/**
 * Lists the folder names of the features.
 *
 * @param {string} root the folder of the project
 */
export function listFeatures(root) {
  return readdirSync(join(root, 'src/features'), { withFileTypes: true })
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name);
}

/**
 * @param {string} root
 * @returns {{ paths?: Record<string, object>, components?: { schemas?: object } }}
 */
function readOpenApiDocument(root) {
  const file = join(root, 'openapi.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/** @param {string} folder in kebab-case */
function toClassName(folder) {
  return folder.replace(/(?:^|-)(.)/g, (_, letter) => letter.toUpperCase());
}
