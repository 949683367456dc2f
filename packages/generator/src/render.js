import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { template } from '@angular-devkit/core';
import { format, resolveConfig } from 'prettier';

const TEMPLATES = fileURLToPath(new URL('files', import.meta.url));

/**
 * Renders the files of a feature, formatted with the project's Prettier configuration.
 *
 * @param {import('./payload.js').Feature} feature
 * @param {string} root the folder of the project
 * @returns {Promise<Map<string, string>>} contents by path, relative to the project
 */
export async function renderFeature(feature, root) {
  const { description, fields } = feature;
  const context = {
    ...feature,
    sentence: /[.!?]$/.test(description) ? description : `${description}.`,
    example: Object.fromEntries(fields.map(({ name, example }) => [name, example])),
    literal,
    escapeMarkdown,
  };
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const file of readdirSync(TEMPLATES, { encoding: 'utf8', recursive: true })) {
    const isRequest = file.includes('-request.dto');
    if (!file.endsWith('.template') || (isRequest && fields.length === 0)) continue;
    const path = file
      .replaceAll(sep, '/')
      .replaceAll('__folder__', feature.folder)
      .replace(/\.template$/, '');
    const filepath = join(root, path);
    const source = template(readFileSync(join(TEMPLATES, file), 'utf8'))(context);
    files.set(
      path,
      await format(source, {
        ...(await resolveConfig(filepath, { editorconfig: true })),
        filepath,
      }),
    );
  }
  return files;
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
