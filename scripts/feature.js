// Adds a feature to the project, or takes one away: npm run feature -- --help
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { normalize, virtualFs } from '@angular-devkit/core';
import { NodeWorkflow } from '@angular-devkit/schematics/tools/index.js';
import { lastValueFrom } from 'rxjs';
import { conflictsOf } from '../schematics/feature/conflicts.js';
import { readPayload } from '../schematics/feature/payload.js';

const HELP = `Adds a feature: module, controller, service, DTOs, tests and README.

  npm run feature -- pet_profile --description "Profiles of pets"
  npm run feature -- --payload payload.json     (- for standard input)
  npm run feature -- --remove pet_profile

  --description TEXT   what the feature is for
  --requirement TEXT   what it is to do; again for each
  --field NAME:TYPE    a field of its POST request; again for each
                       TYPE is string, int, number, boolean, date-time, email, uuid, url
                       or a choice such as dog|cat; [] behind it for a list, ? for optional
  --payload FILE       {"feature":"pet_profile","description":"Profiles of pets",
                        "requirements":"none","fields":{"name":"string"}}
  --dry-run            says what would be written or removed, and changes nothing
  --remove NAME        takes a feature away that is as it was made
  --force              takes it away though its files were edited, not one by hand
  --help               this

It ends with 0 when all went well, 1 when something failed (nothing is changed),
2 when what it was told is wrong, 3 when the feature clashes with what is there.
`;

const SEE = 'See npm run feature -- --help';

const FAILED = 1;
const WRONG_USE = 2;
const CONFLICT = 3;

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @typedef {Partial<ReturnType<typeof readArguments>['values']>} Options
 */

/** An end that was not asked for: its exit code, and a sentence for each reason. */
class Refusal extends Error {
  /**
   * @param {number} code
   * @param {string[]} reasons
   */
  constructor(code, reasons) {
    super(reasons.join('\n'));
    this.code = code;
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error instanceof Refusal ? error.code : FAILED;
}

async function main() {
  const { values, positionals } = readArguments();
  const { remove: name, payload, description, requirement, field, force } = values;
  const parts = [description, requirement, field].filter((part) => part !== undefined);
  const isPayload = payload !== undefined || positionals[0] === '-';
  const modes = [name !== undefined, isPayload, parts.length > 0].filter(Boolean).length;
  const names = positionals.filter((positional) => positional !== '-');
  if (values.help) {
    process.stdout.write(HELP);
  } else if (modes > 1 || (names.length > 0 && (name !== undefined || isPayload))) {
    throw new Refusal(WRONG_USE, [
      `Expected a name with its options, a payload, or --remove, found more than one of these. ${SEE}`,
    ]);
  } else if (force && name === undefined) {
    throw new Refusal(WRONG_USE, [`Expected --force with --remove alone. ${SEE}`]);
  } else if (name !== undefined) {
    process.chdir(root);
    await remove(name, values);
  } else {
    const { feature, faults } = isPayload
      ? readPayload(await payloadFrom(payload ?? '-'))
      : fromOptions(names, values);
    if (feature === undefined || faults.length > 0) throw new Refusal(WRONG_USE, faults);
    // Formatting looks for the project's settings from here on.
    process.chdir(root);
    await add(feature, values);
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        description: { type: 'string' },
        requirement: { type: 'string', multiple: true },
        field: { type: 'string', multiple: true },
        payload: { type: 'string' },
        remove: { type: 'string' },
        force: { type: 'boolean' },
        'dry-run': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new Refusal(WRONG_USE, [`${reasonOf(error).replace(/\.$/, '')}. ${SEE}`]);
  }
}

/**
 * The feature that the options describe.
 *
 * @param {string[]} names
 * @param {Options} options
 */
function fromOptions(names, { description, requirement, field = [] }) {
  if (names.length !== 1) {
    throw new Refusal(WRONG_USE, [
      `Expected the name of one feature such as pet_profile, found ${names.length} names. ${SEE}`,
    ]);
  }
  const pairs = field.map((one) => /** @type {[string, string]} */ (one.split(/:(.*)/s)));
  const fields = Object.fromEntries(pairs.filter(([, type]) => type !== undefined));
  const { feature, faults } = readPayload({
    feature: names[0],
    description,
    requirements: requirement ?? 'none',
    ...(pairs.length > 0 && { fields }),
  });
  const own = pairs.flatMap(([name, type], i) => {
    if (type === undefined) {
      return [`--field ${name}: expected a name and a type such as name:string`];
    }
    const isTwice = pairs.findIndex(([other]) => other === name) < i;
    return isTwice ? [`--field ${name}: expected each name once`] : [];
  });
  return { feature, faults: [...faults, ...own] };
}

/**
 * What a file of JSON holds.
 *
 * @param {string} file its path, or - for standard input
 * @returns {Promise<unknown>}
 */
async function payloadFrom(file) {
  try {
    return JSON.parse(file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Refusal(WRONG_USE, [
      `--payload ${file}: expected JSON such as {"feature":"pet_profile","description":"Profiles of pets"}, found: ${reasonOf(error)}`,
    ]);
  }
}

/**
 * Writes a feature, and what follows from it; or nothing.
 *
 * @param {import('../schematics/feature/payload.js').Feature} feature
 * @param {Options} options
 */
async function add(feature, { 'dry-run': isDryRun = false }) {
  const conflicts = conflictsOf(feature, read, foldersOfFeatures());
  if (conflicts.length > 0) throw new Refusal(CONFLICT, conflicts);
  const paths = [...(await render(feature)).keys()];
  if (isDryRun) {
    tell('would create', paths);
    return;
  }
  await changing(feature.folder, async (signal) => {
    await run(feature, new NodeWorkflow(root, { resolvePaths: [root] }));
    await updateDocument(signal);
  });
  tell('created', paths);
  tell('updated', ['openapi.json']);
}

/**
 * Takes a feature away that is as it was made.
 *
 * @param {string} name
 * @param {Options} options
 */
async function remove(name, { force = false, 'dry-run': isDryRun = false }) {
  if (!/^[a-z][a-z0-9_-]*$/.test(name)) {
    throw new Refusal(WRONG_USE, [
      `--remove: expected the name of a feature such as pet_profile, found ${JSON.stringify(name)}`,
    ]);
  }
  const folder = name.replaceAll('_', '-');
  const folders = foldersOfFeatures();
  if (!folders.includes(folder)) {
    throw new Refusal(CONFLICT, [
      `${name}: expected the name of a feature that there is (${folders.join(', ')}), found no src/features/${folder}`,
    ]);
  }
  const paths = filesOf(folder);
  const made = await remake(folder);
  if (made.size === 0) {
    throw new Refusal(CONFLICT, [
      `${name}: expected the payload that it was made from in src/features/${folder}/README.md, found none. What the builder did not make, it does not remove: delete it by hand`,
    ]);
  }
  const edited = [...new Set([...paths, ...made.keys()])].filter(
    (path) => made.get(path) !== read(path),
  );
  if (edited.length > 0 && !force) {
    throw new Refusal(CONFLICT, [
      ...edited.map((path) => `${path}: not as the builder makes it`),
      `Nothing was removed. With --force, ${name} is removed all the same.`,
    ]);
  }
  if (isDryRun) {
    tell('would remove', paths);
    return;
  }
  await changing(folder, async (signal) => {
    takeAway(folder);
    await updateDocument(signal);
  });
  tell('removed', paths);
  tell('updated', ['openapi.json']);
}

/**
 * The files of a feature as they were made, by the payload in its README; none without one.
 *
 * @param {string} folder
 */
async function remake(folder) {
  const readme = read(`src/features/${folder}/README.md`) ?? '';
  const [, json = ''] = /\n## Payload\n.*\n`{3,}json\n(.*)\n`{3,}\n$/s.exec(readme) ?? [];
  try {
    const { feature } = readPayload(JSON.parse(json));
    return feature?.folder === folder ? await render(feature) : new Map();
  } catch {
    return new Map();
  }
}

/**
 * Changes a feature's files and openapi.json; puts all back when that fails or is interrupted.
 *
 * @param {string} folder
 * @param {(signal: AbortSignal) => Promise<void>} change
 */
async function changing(folder, change) {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      interruption.abort(new Error(`Interrupted by ${signal}`));
    });
  }
  const kept = mkdtempSync(join(root, '.feature-'));
  const copy = { recursive: true, verbatimSymlinks: true };
  const paths = ['openapi.json', `src/features/${folder}`, testOf(folder)].filter((path) =>
    existsSync(join(root, path)),
  );
  for (const path of paths) cpSync(join(root, path), join(kept, path), copy);
  try {
    await change(interruption.signal);
    interruption.signal.throwIfAborted();
  } catch (error) {
    takeAway(folder);
    for (const path of paths) cpSync(join(kept, path), join(root, path), copy);
    const { aborted, reason } = interruption.signal;
    throw new Error(`${reasonOf(aborted ? reason : error)}\nNothing was changed.`, {
      cause: error,
    });
  } finally {
    rmSync(kept, { recursive: true });
  }
}

/** @param {string} folder */
function takeAway(folder) {
  rmSync(join(root, 'src/features', folder), { recursive: true, force: true });
  rmSync(join(root, testOf(folder)), { force: true });
}

/** @param {string} folder */
function testOf(folder) {
  return `test/features/${folder}.e2e-spec.ts`;
}

/**
 * What failed: what the command that was run said, or the error.
 *
 * @param {unknown} error
 */
function reasonOf(error) {
  const {
    stdout = '',
    stderr = '',
    message,
  } = /** @type {Error & Record<string, string>} */ (error);
  return `${stdout}${stderr}`.trim() || message;
}

/**
 * The files of a feature by their paths, as they would be written.
 *
 * @param {import('../schematics/feature/payload.js').Feature} feature
 */
async function render(feature) {
  /** @type {Map<string, string>} */
  const files = new Map();
  const engine = new NodeWorkflow(new virtualFs.SimpleMemoryHost(), {
    root: normalize(root),
    resolvePaths: [root],
    dryRun: true,
  });
  engine.reporter.subscribe((event) => {
    if (event.kind === 'create') files.set(event.path.replace(/^\//, ''), event.content.toString());
  });
  await run(feature, engine);
  return files;
}

/**
 * Runs the schematic.
 *
 * @param {import('../schematics/feature/payload.js').Feature} feature
 * @param {NodeWorkflow} engine
 */
async function run({ payload, name, requirements }, engine) {
  const { description, fields } = payload;
  const options = { name, description, requirements, ...(fields !== undefined && { fields }) };
  const collection = join(root, 'schematics/collection.json');
  await lastValueFrom(engine.execute({ collection, schematic: 'feature', options }), {
    defaultValue: undefined,
  });
}

/** @param {AbortSignal} signal */
async function updateDocument(signal) {
  await promisify(execFile)('npm', ['run', '--silent', 'openapi'], { signal });
}

function foldersOfFeatures() {
  return readdirSync(join(root, 'src/features'), { withFileTypes: true })
    .filter((entry) => !entry.isFile())
    .map(({ name }) => name);
}

/**
 * The files that there are of a feature.
 *
 * @param {string} folder
 */
function filesOf(folder) {
  const inside = join(root, 'src/features', folder);
  const entries = existsSync(inside)
    ? readdirSync(inside, { recursive: true, withFileTypes: true })
    : [];
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)));
  return existsSync(join(root, testOf(folder))) ? [...paths, testOf(folder)] : paths;
}

/**
 * The text of a file of the project, undefined where there is none.
 *
 * @param {string} path
 */
function read(path) {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/**
 * @param {string} what
 * @param {string[]} paths
 */
function tell(what, paths) {
  for (const path of paths.toSorted()) process.stdout.write(`${what} ${path}\n`);
}
