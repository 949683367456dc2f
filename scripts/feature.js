// Adds a feature to the project, or takes one away: npm run feature -- --help
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
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
  --force              takes it away though its files were edited
  --help               this

It ends with 0 when all went well, 1 when something failed (nothing is changed),
2 when what it was told is wrong, 3 when the feature clashes with what is there.
`;

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
  if (values.help) {
    process.stdout.write(HELP);
  } else if (values.remove !== undefined) {
    await remove(values.remove, values);
  } else {
    const { feature, faults } = readPayload(await payloadFrom(values, positionals));
    if (feature === undefined) throw new Refusal(WRONG_USE, faults);
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
    throw new Refusal(WRONG_USE, [`${reasonOf(error)}. See npm run feature -- --help`]);
  }
}

/**
 * The payload that the arguments name, or are.
 *
 * @param {Options} values
 * @param {string[]} positionals
 * @returns {Promise<unknown>}
 */
async function payloadFrom(values, positionals) {
  const { payload, description, requirement = [], field = [] } = values;
  const file = payload ?? (positionals[0] === '-' ? '-' : undefined);
  if (file === undefined) {
    if (positionals.length !== 1) {
      throw new Refusal(WRONG_USE, [
        `Expected the name of one feature such as pet_profile, found ${positionals.length} names. See npm run feature -- --help`,
      ]);
    }
    const fields = field.map((one) => {
      const [, name = one, type = ''] = /^([^:]*):(.*)$/s.exec(one) ?? [];
      return [name, type];
    });
    const twice = fields.filter(([name], i) => fields.findIndex(([other]) => other === name) < i);
    if (twice.length > 0) {
      throw new Refusal(
        WRONG_USE,
        twice.map(([name]) => `--field ${name}: expected each name once`),
      );
    }
    return {
      feature: positionals[0],
      description,
      requirements: requirement.length > 0 ? requirement : 'none',
      ...(fields.length > 0 && { fields: Object.fromEntries(fields) }),
    };
  }
  if (values.description !== undefined || requirement.length > 0 || field.length > 0) {
    throw new Refusal(WRONG_USE, ['Expected a payload or its parts as options, found both']);
  }
  try {
    return JSON.parse(file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Refusal(WRONG_USE, [
      `--payload ${file}: expected a file of JSON such as {"feature":"pet_profile","description":"Profiles of pets"}, found: ${reasonOf(error)}`,
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
  await changing(feature.folder, async () => {
    await run(feature, new NodeWorkflow(root, { resolvePaths: [root] }));
    updateDocument();
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
  const folder = name.replaceAll('_', '-');
  const folders = foldersOfFeatures();
  if (!folders.includes(folder)) {
    throw new Refusal(CONFLICT, [
      `${name}: expected the name of a feature that there is (${folders.join(', ')}), found no src/features/${folder}`,
    ]);
  }
  const paths = filesOf(folder);
  const made = await remake(folder);
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
  await changing(folder, () => {
    takeAway(folder);
    updateDocument();
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
 * Changes a feature's files and openapi.json; puts all back when that fails.
 *
 * @param {string} folder
 * @param {() => void | Promise<void>} change
 */
async function changing(folder, change) {
  const before = new Map(['openapi.json', ...filesOf(folder)].map((path) => [path, bytesOf(path)]));
  // Ctrl-C ends what runs below, and with that the change.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
  try {
    await change();
  } catch (error) {
    takeAway(folder);
    for (const [path, bytes] of before) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      if (bytes) writeFileSync(join(root, path), bytes);
    }
    throw new Error(`${reasonOf(error)}\nNothing was changed.`, { cause: error });
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

function updateDocument() {
  execFileSync('npm', ['run', '--silent', 'openapi'], { cwd: root, stdio: 'pipe' });
}

function foldersOfFeatures() {
  return readdirSync(join(root, 'src/features'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
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
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)));
  return existsSync(join(root, testOf(folder))) ? [...paths, testOf(folder)] : paths;
}

/** @param {string} path */
function bytesOf(path) {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file) : undefined;
}

/** @param {string} path */
function read(path) {
  return bytesOf(path)?.toString();
}

/**
 * @param {string} what
 * @param {string[]} paths
 */
function tell(what, paths) {
  for (const path of paths.toSorted()) process.stdout.write(`${what} ${path}\n`);
}
