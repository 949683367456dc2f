import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { template } from '@angular-devkit/core';
import { format, resolveConfig } from 'prettier';
import { createResourceContext } from './resource-context.js';

const FEATURE_TEMPLATES = fileURLToPath(new URL('files', import.meta.url));
const RESOURCE_TEMPLATES = fileURLToPath(new URL('resource-files', import.meta.url));
const JOB_TEMPLATES = fileURLToPath(new URL('job-files', import.meta.url));

/**
 * Renders the files of a feature, formatted with the project's Prettier configuration.
 *
 * @param {import('./payload.js').Feature} feature
 * @param {string} root the folder of the project
 * @param {string} [version] of the migration
 * @returns {Promise<Map<string, string>>} contents by path, relative to the project
 */
export async function renderFeature(feature, root, version = createMigrationVersion(root)) {
  const { description, fields, resource, isJob } = feature;
  const context = {
    ...feature,
    sentence: /[.!?]$/.test(description) ? description : `${description}.`,
    example: Object.fromEntries(fields.map(({ name, example }) => [name, example])),
    literal,
    escapeMarkdown,
    ...(resource && createResourceContext({ ...feature, resource }, root)),
  };
  const folders = [
    resource ? RESOURCE_TEMPLATES : FEATURE_TEMPLATES,
    ...(isJob ? [JOB_TEMPLATES] : []),
  ];
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const { folder, file } of folders.flatMap(listFiles)) {
    const isRequest = file.includes('-request.dto');
    if (!file.endsWith('.template') || (isRequest && fields.length === 0)) continue;
    const path = file
      .replaceAll(sep, '/')
      .replaceAll('__folder__', feature.folder)
      .replaceAll('__pluralFolder__', resource?.pluralFolder ?? '')
      .replaceAll('__table__', resource?.table ?? '')
      .replaceAll('__version__', version)
      .replace(/\.template$/, '');
    const filepath = join(root, path);
    const source = template(readFileSync(join(folder, file), 'utf8'))(context);
    files.set(path, path.endsWith('.sql') ? source : await formatSource(source, filepath));
  }
  return files;
}

/** @param {string} folder */
function listFiles(folder) {
  const files = readdirSync(folder, { encoding: 'utf8', recursive: true });
  return files.map((file) => ({ folder, file }));
}

/**
 * Renders the migration that adds columns to the table of a resource.
 *
 * @param {import('./resource-context.js').ResourceFeature} feature with the new fields
 * @param {import('./resource.js').StoredField[]} newFields
 * @param {string} root
 * @returns {[path: string, sql: string]}
 */
export function renderAddedColumns(feature, newFields, root) {
  const { table, isOwned } = feature.resource;
  const context = createResourceContext(feature, root);
  const isNew = (/** @type {{ name: string }} */ { name }) =>
    newFields.some((field) => field.name === name);
  const name = `add_${newFields.map(({ column }) => column).join('_')}_to_${table}`.slice(0, 80);
  const ownerColumn = isOwned ? 'owner_sub, ' : '';
  const { sqlName } = context;
  const changes = [
    ...newFields.map(({ column, columnType }) => `add column ${sqlName(column)} ${columnType}`),
    ...context.uniques
      .filter(isNew)
      .map(
        ({ column, constraint }) =>
          `add constraint ${constraint} unique (${ownerColumn}${sqlName(column)})`,
      ),
    ...context.references.filter(isNew).map(({ column, constraint, target }) => {
      const owner = target.isOwned ? ownerColumn : '';
      return `add constraint ${constraint} foreign key (${owner}${sqlName(column)})\n    references ${sqlName(target.table)} (${owner}id)`;
    }),
  ];
  const indexes = context.filters
    .filter(isNew)
    .map(
      ({ column, index }) =>
        `create index ${index} on ${sqlName(table)} (${ownerColumn}${sqlName(column)}, id);\n`,
    );
  return [
    `src/migrations/${createMigrationVersion(root)}_${name}.sql`,
    `alter table ${sqlName(table)}\n  ${changes.join(',\n  ')};\n${indexes.length > 0 ? '\n' : ''}${indexes.join('')}`,
  ];
}

/**
 * Returns the version of a new migration: the time in UTC, after all existing migrations.
 *
 * @param {string} root
 */
function createMigrationVersion(root) {
  const folder = join(root, 'src/migrations');
  const versions = existsSync(folder)
    ? readdirSync(folder).flatMap((file) => /^\d{14}(?=_)/.exec(file) ?? [])
    : [];
  const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const latest = versions.sort().at(-1) ?? '';
  return time > latest ? time : String(BigInt(latest) + 1n);
}

/**
 * @param {string} source
 * @param {string} filepath
 */
async function formatSource(source, filepath) {
  const options = await resolveConfig(filepath, { editorconfig: true });
  return format(source, { ...options, filepath });
}

/**
 * Formats a value as a TypeScript literal. Texts of a payload appear in code only in this form.
 *
 * @param {unknown} value
 */
function literal(value) {
  return JSON.stringify(value);
}

/** @param {string} text */
function escapeMarkdown(text) {
  return text
    .replace(/[\\`*_{}[\]<>#|~&!$]/g, '\\$&')
    .replace(/^(\d+)([.)])/, '$1\\$2')
    .replace(/^[-+=:]/, '\\$&');
}
