import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findReferenceProblem, readFeature } from './resource-context.js';

/** @typedef {import('./payload.js').Feature} Feature */

/**
 * Finds everything in the project that has the same name as a part of the new feature.
 *
 * @param {Feature} feature
 * @param {string} root the folder of the project
 * @returns {string[]} an error message for each conflict
 */
export function findConflicts(feature, root) {
  const { name, folder, className, resource } = feature;
  const features = listFeatures(root);
  const test = `test/features/${folder}.e2e-spec.ts`;
  const twin = features.find((other) => toClassName(other) === className);
  const { paths = {}, components = {} } = readOpenApiDocument(root);
  const { routes, schemas } = resource ? listResourceNames(feature) : listNames(feature);

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
    if (resource) conflicts.push(...findStorageConflicts({ ...feature, resource }, root));
  }
  return conflicts.map((conflict) => `${name}: ${conflict}`);
}

/** @param {Feature} feature */
function listNames({ path, className, fields }) {
  const hasFields = fields.length > 0;
  return {
    routes: [
      { method: 'get', path: `${path}/smoke-test` },
      ...(hasFields ? [{ method: 'post', path }] : []),
    ],
    schemas: [`${className}Status`, ...(hasFields ? [`${className}Request`] : [])],
  };
}

/** @param {Feature} feature */
function listResourceNames({ path, className }) {
  return {
    routes: [
      { method: 'post', path },
      { method: 'get', path },
      ...['get', 'patch', 'delete'].map((method) => ({ method, path: `${path}/{id}` })),
    ],
    schemas: [`Create${className}`, className, `${className}Page`, `Update${className}`],
  };
}

/**
 * @param {import('./resource-context.js').ResourceFeature} feature
 * @param {string} root
 */
function findStorageConflicts(feature, root) {
  const { table, fields } = feature.resource;
  const conflicts = fields.flatMap((field) => findReferenceProblem(field, feature, root) ?? []);
  const migration = findMigration(table, root);
  if (migration !== undefined) {
    conflicts.push(
      `the table ${table} already exists: src/migrations/${migration} creates it. Choose another name or, if the migration was never deployed, delete it and run: npm run database -- --reset`,
    );
  }
  return conflicts;
}

/**
 * Finds the migration that creates a table, unless a later one drops it.
 *
 * @param {string} table
 * @param {string} root
 */
function findMigration(table, root) {
  const folder = join(root, 'src/migrations');
  const statement = new RegExp(
    `\\b(create|drop)\\s+table\\s+(?:if\\s+(?:not\\s+)?exists\\s+)?"?${table}"?(?![\\w"])`,
    'gi',
  );
  let migration;
  for (const file of existsSync(folder) ? readdirSync(folder).sort() : []) {
    if (!file.endsWith('.sql')) continue;
    for (const [, verb = ''] of readFileSync(join(folder, file), 'utf8').matchAll(statement)) {
      migration = verb.toLowerCase() === 'create' ? file : undefined;
    }
  }
  return migration;
}

/**
 * Finds the resources that reference another one.
 *
 * @param {string} name of the other one, in snake_case
 * @param {string} root
 * @returns {string[]} their names
 */
export function findReferencingFeatures(name, root) {
  return listFeatures(root)
    .flatMap((folder) => readFeature(folder, root) ?? [])
    .filter((feature) => feature.name !== name)
    .filter((feature) => feature.resource?.fields.some(({ reference }) => reference === name))
    .map((feature) => feature.name);
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
