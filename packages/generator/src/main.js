// Creates or removes a feature: npm run feature -- --help
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { findConflicts, findReferencingFeatures, listFeatures } from './conflicts.js';
import { parseFieldOptions } from './fields.js';
import { compareCode, extendResource } from './added-fields.js';
import { buildOpenApiDocument } from './openapi-document.js';
import { parsePayload } from './payload.js';
import { parsePayloadText } from './payload-text.js';
import { formatCommand, promptForPayload } from './prompts.js';
import { renderAddedColumns, renderFeature } from './render.js';
import { isResource, readFeature } from './resource-context.js';

const HELP = `Creates or removes a feature: module, controller, service, DTOs, tests and README.
With --resource, its fields are stored: repository, table and migration too.

Usage:
  npm run feature                 (asks for the parts of a feature)
  npm run feature -- NAME [options]
  npm run feature -- --payload FILE
  npm run feature -- NAME --add-field NAME:TYPE?
  npm run feature -- --remove NAME

Options:
  --description TEXT   what the feature is for; the default is its name
  --requirement TEXT   a requirement; can be repeated
  --field NAME:TYPE    a field of the POST request; can be repeated
  --resource           store the fields: create, get, list, change and delete them
  --public             with --resource: no token is needed
  --owned              with --resource: each belongs to the user who created it
  --job                add a job that runs at the times of a cron expression
  --add-field FIELD    add an optional field to a resource, with a migration; can be repeated
  --path PATH          the base route, such as api/v1/pets; the default is the name in kebab-case,
                       or with --resource /api/v1/ and its plural
  --payload FILE       read the feature from a JSON or Markdown file; - reads standard input
  --remove NAME        remove a generated feature
  --force              with --remove: remove the feature even if its files were edited
  --dry-run            print the files and the diff of openapi.json without changing anything
  --help               print this help

Field types:
  string, int, number, boolean, date, date-time, email, uuid, url
  string(1..80)        a string with a minimum and maximum length; either can be omitted
  int(0..30)           an int or number with a minimum and maximum; either can be omitted
  dog|cat              a choice
  TYPE[], TYPE[][]     a list, a list of lists
  TYPE?                an optional field, which may be absent or null

With --resource also:
  ref(FEATURE)         the id of another resource
  TYPE!unique          no two may be equal; with --owned, no two of one user
  TYPE!filter          a parameter of the list
  TYPE?!unique!filter  an optional field with both

Payload:
  {"feature":"pet_profile","description":"Profiles of pets",
   "requirements":["An owner lists their pets"],"fields":{"name":"string","age":"int?"}}
  A Markdown file has this in a code block, or the same keys in a list. The description
  can be omitted, and requirements and fields can also be empty, null or "none". "resource", "public", "owned" and "job" are true or
  false, and "path" is the base route.

Exit codes:
  0  success
  1  failure; nothing was changed
  2  invalid arguments or payload
  3  conflict with existing files, routes or schemas
  4  --add-field: the printed changes conflict with edits, and must be made by hand
`;

const EXIT_FAILURE = 1;
const EXIT_INVALID_INPUT = 2;
const EXIT_CONFLICT = 3;
const EXIT_UNMERGED = 4;

const SEPARATE_OPTIONS = 'Put -- before the options: npm run feature -- NAME --description TEXT.';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * @typedef {import('./payload.js').Feature} Feature
 * @typedef {ReturnType<typeof parseArguments>} Options
 */

class CliError extends Error {
  /**
   * @param {number} exitCode
   * @param {string[]} messages
   */
  constructor(exitCode, ...messages) {
    super(messages.join('\n'));
    this.exitCode = exitCode;
  }
}

class UsageError extends CliError {
  /** @param {string} problem */
  constructor(problem) {
    super(EXIT_INVALID_INPUT, `${problem}. See npm run feature -- --help.`);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}

async function main() {
  const options = parseArguments();
  if (options.help) {
    console.log(HELP.trimEnd());
  } else if (options.remove !== undefined) {
    await removeFeature(options.remove, options);
  } else if (options['add-field'] !== undefined) {
    await addFields(options['add-field'], options);
  } else {
    const { feature, errors, warnings } = parsePayload(await readPayload(options));
    for (const warning of warnings) console.error(`Warning: ${warning}`);
    if (feature === undefined) throw new CliError(EXIT_INVALID_INPUT, ...errors);
    await createFeature(feature, options);
  }
}

function parseArguments() {
  rejectOptionsForNpm();
  let args;
  try {
    args = parseArgs({
      allowPositionals: true,
      options: {
        description: { type: 'string' },
        requirement: { type: 'string', multiple: true },
        field: { type: 'string', multiple: true },
        resource: { type: 'boolean' },
        public: { type: 'boolean' },
        owned: { type: 'boolean' },
        job: { type: 'boolean' },
        'add-field': { type: 'string', multiple: true },
        path: { type: 'string' },
        payload: { type: 'string' },
        remove: { type: 'string' },
        force: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(getMessage(error).replace(/\.$/, ''));
  }
  const { positionals: names, values } = args;
  const { description, requirement, field, path, payload, remove, resource, owned } = values;
  const flags = [resource, values.public, owned, values.job];
  const parts = [names[0], description, requirement, field, path, ...flags];
  const hasFeature = parts.some((part) => part !== undefined);
  if ([hasFeature, payload !== undefined, remove !== undefined].filter(Boolean).length > 1) {
    throw new UsageError('A feature name with options, --payload and --remove exclude each other');
  }
  if (values.force && remove === undefined) {
    throw new UsageError('--force is only valid with --remove');
  }
  const others = [description, requirement, field, path, payload, ...flags];
  const hasOthers = others.some((value) => value !== undefined) || names.length !== 1;
  if (values['add-field'] !== undefined && hasOthers) {
    throw new UsageError(
      '--add-field needs the name of one resource, and no other option but --dry-run',
    );
  }
  return { ...values, names };
}

/**
 * Rejects options in front of `--`: npm reads them itself, and leaves only environment variables.
 */
function rejectOptionsForNpm() {
  const options = [
    'requirement',
    'field',
    'path',
    'payload',
    'remove',
    'dry-run',
    'resource',
    'public',
    'owned',
    'job',
    'add-field',
  ]
    .filter((option) => process.env[`npm_config_${option.replace('-', '_')}`] !== undefined)
    .map((option) => `--${option}`);
  if (options.length > 0) {
    throw new CliError(
      EXIT_INVALID_INPUT,
      `npm did not pass on ${options.join(', ')}. ${SEPARATE_OPTIONS}`,
    );
  }
}

/**
 * Reads the payload from a file, from answers in the terminal, or from the options.
 *
 * @param {Options} options
 * @returns {Promise<unknown>}
 */
async function readPayload(options) {
  const { names, description, requirement, field = [], path, payload, resource, owned } = options;
  if (payload !== undefined) return readPayloadFile(payload);
  const hasArguments = process.argv.length > 2;
  if (!hasArguments && process.stdin.isTTY && process.stdout.isTTY) return askForPayload();
  if (names.length !== 1) {
    const message = `Expected the name of one feature, got ${names.length} names`;
    // npm drops --description, but passes on its value.
    const isValue = names.length > 1 && process.env.npm_lifecycle_event !== undefined;
    throw isValue
      ? new CliError(EXIT_INVALID_INPUT, `${message}. ${SEPARATE_OPTIONS}`)
      : new UsageError(message);
  }
  const { fields, error } = parseFieldOptions(field);
  if (error !== undefined) throw new CliError(EXIT_INVALID_INPUT, `--field ${error}`);
  return {
    ...{ feature: names[0], description, requirements: requirement, fields, path },
    ...{ resource, public: options.public, owned, job: options.job },
  };
}

async function askForPayload() {
  try {
    const payload = await promptForPayload(ROOT);
    console.log(`\nThe same without questions:\n  ${formatCommand(payload)}\n`);
    return payload;
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') {
      throw new CliError(EXIT_FAILURE, 'Canceled.', 'Nothing was changed.');
    }
    throw error;
  }
}

/** @param {string} file a path, or - for standard input */
async function readPayloadFile(file) {
  const fail = (/** @type {string} */ message) =>
    new CliError(EXIT_INVALID_INPUT, `--payload ${file}: ${message}`);
  let source;
  let payload;
  try {
    source = file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8');
  } catch (error) {
    throw fail(`the file cannot be read: ${getMessage(error)}. Check the path.`);
  }
  try {
    payload = parsePayloadText(source);
  } catch (error) {
    throw fail(`the JSON is not valid: ${getMessage(error)}. Correct the file.`);
  }
  if (payload === undefined) {
    throw fail(
      'the file contains no payload. Use JSON, a JSON code block, or a Markdown list with feature: and description:.',
    );
  }
  return payload;
}

/**
 * @param {Feature} feature
 * @param {Options} options
 */
async function createFeature(feature, options) {
  const conflicts = findConflicts(feature, ROOT);
  if (conflicts.length > 0) throw new CliError(EXIT_CONFLICT, ...conflicts);
  const files = await renderFeature(feature, ROOT);
  const document = await buildDocument(feature.folder, files);
  if (options['dry-run']) {
    printFiles('would create', files.keys());
    printDocumentDiff(document);
    return;
  }
  writeFiles(files);
  writeFileSync(join(ROOT, 'openapi.json'), document);
  printFiles('created', files.keys());
  printFiles('updated', ['openapi.json']);
}

/**
 * @param {string} name
 * @param {Options} options
 */
async function removeFeature(name, options) {
  const folder = name.replaceAll('_', '-');
  const features = listFeatures(ROOT);
  if (!features.includes(folder)) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: there is no such feature. Choose one of ${features.join(', ')}.`,
    );
  }
  const referencing = findReferencingFeatures(folder.replaceAll('-', '_'), ROOT);
  if (referencing.length > 0) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: ${referencing.join(', ')} references it. Remove ${referencing.length > 1 ? 'these' : 'that'} first.`,
    );
  }
  const files = readFeatureFiles(folder);
  const feature = readFeature(folder, ROOT);
  const generatedFiles = feature && (await renderCode(feature));
  if (generatedFiles === undefined) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: src/features/${folder}/README.md has no valid payload, so edits cannot be detected. Delete the files by hand.`,
    );
  }
  const edited = [...new Set([...files.keys(), ...generatedFiles.keys()])]
    .filter((path) => files.get(path) !== generatedFiles.get(path))
    .sort();
  if (edited.length > 0 && !options.force) {
    throw new CliError(
      EXIT_CONFLICT,
      ...edited.map((path) => `${path}: the file was added, edited or deleted.`),
      'Nothing was removed. Add --force to remove the feature anyway.',
    );
  }
  const document = await buildDocument(folder, new Map());
  if (options['dry-run']) {
    printFiles('would remove', files.keys());
    printDocumentDiff(document);
    return;
  }
  rmSync(join(ROOT, 'src/features', folder), { recursive: true });
  rmSync(join(ROOT, getTestPath(folder)), { force: true });
  writeFileSync(join(ROOT, 'openapi.json'), document);
  printFiles('removed', files.keys());
  printFiles('updated', ['openapi.json']);
  if (feature?.resource) {
    console.log(
      `kept the table ${feature.resource.table}, its data, and the migrations. To delete them, write a migration: drop table ${feature.resource.table};`,
    );
  }
}

/**
 * Adds optional fields to a resource: a migration, and the code. Edits are kept. Prints the changes that conflict with
 * one.
 *
 * @param {string[]} added such as `weight:number?`
 * @param {Options} options
 */
async function addFields(added, options) {
  const name = String(options.names[0]);
  const folder = name.replaceAll('_', '-');
  const feature = readFeature(folder, ROOT);
  if (!isResource(feature)) {
    throw new CliError(
      EXIT_CONFLICT,
      `${name}: there is no resource with a valid payload in src/features/${folder}/README.md. Choose another name.`,
    );
  }
  const { changed, newFields, errors } = extendResource(feature, added, ROOT);
  if (changed === undefined) throw new CliError(EXIT_INVALID_INPUT, ...errors);
  const { written, merged, patches } = compareCode(
    readFeatureFiles(folder),
    await renderCode(feature),
    await renderCode(changed),
  );
  written.set(...renderAddedColumns(changed, newFields, ROOT));
  const files = new Map([...readFeatureFiles(folder), ...written, ...merged]);
  const document = await buildDocument(folder, files);
  if (options['dry-run']) {
    printFiles('would write', written.keys());
    printFiles('would merge', merged.keys());
    printDocumentDiff(document);
  } else {
    writeFiles(written);
    writeFiles(merged);
    writeFileSync(join(ROOT, 'openapi.json'), document);
    printFiles('wrote', written.keys());
    printFiles('merged', merged.keys());
    printFiles('updated', ['openapi.json']);
  }
  if (patches.length === 0) return;
  throw new CliError(
    EXIT_UNMERGED,
    ...patches.map((patch) => `\n${patch}`),
    '\nThese changes conflict with edits, and the new fields are not stored without them. Make them, and run npm run check:fix.',
  );
}

/** @param {Map<string, string>} files contents by path */
function writeFiles(files) {
  for (const [path, content] of files) {
    mkdirSync(join(ROOT, dirname(path)), { recursive: true });
    writeFileSync(join(ROOT, path), content);
  }
}

/**
 * Renders the files of a feature that `--remove` removes: all but its migration.
 *
 * @param {Feature} feature
 */
async function renderCode(feature) {
  const files = await renderFeature(feature, ROOT);
  return new Map([...files].filter(([path]) => !path.endsWith('.sql')));
}

/**
 * @param {string} folder
 * @param {Map<string, string>} files
 */
async function buildDocument(folder, files) {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interruption.abort());
  try {
    return await buildOpenApiDocument(ROOT, folder, files, interruption.signal);
  } catch (error) {
    const reason = interruption.signal.aborted
      ? 'Interrupted.'
      : `The OpenAPI document cannot be built: ${getMessage(error)}`;
    throw new CliError(EXIT_FAILURE, reason, 'Nothing was changed.');
  }
}

/**
 * Reads all files of a feature.
 *
 * @param {string} folder
 * @returns {Map<string, string>} contents by path, relative to the project
 */
function readFeatureFiles(folder) {
  const files = readdirSync(join(ROOT, 'src/features', folder), {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)).replaceAll(sep, '/'));
  if (existsSync(join(ROOT, getTestPath(folder)))) files.push(getTestPath(folder));
  return new Map(files.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

/** @param {string} folder */
function getTestPath(folder) {
  return `test/features/${folder}.e2e-spec.ts`;
}

/** @param {unknown} error */
function getMessage(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {string} document the future content of openapi.json */
function printDocumentDiff(document) {
  const current = readFileSync(join(ROOT, 'openapi.json'), 'utf8');
  const diff = createTwoFilesPatch('a/openapi.json', 'b/openapi.json', current, document, '', '', {
    headerOptions: FILE_HEADERS_ONLY,
  });
  console.log(diff.trimEnd());
}

/**
 * @param {string} action
 * @param {Iterable<string>} paths
 */
function printFiles(action, paths) {
  for (const path of [...paths].sort()) console.log(`${action} ${path}`);
}
