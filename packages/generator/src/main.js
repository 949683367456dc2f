// Creates or removes a feature: npm run feature -- --help
import { CliError, EXIT_INVALID_INPUT } from './cli-error.js';
import { addFields } from './commands/add-fields.js';
import { createFeature } from './commands/create-feature.js';
import { removeFeature } from './commands/remove-feature.js';
import { parseOptions } from './options.js';
import { parsePayload } from './payload.js';
import { readPayload } from './read-payload.js';

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
  can be omitted, and requirements and fields can also be empty, null or "none". "resource",
  "public", "owned" and "job" are true or false, and "path" is the base route.

Exit codes:
  0  success
  1  failure; nothing was changed
  2  invalid arguments or payload
  3  conflict with existing files, routes or schemas
  4  --add-field: the printed changes conflict with edits, and must be made by hand
`;

try {
  await main();
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}

async function main() {
  const options = parseOptions();
  if (options.help) {
    console.log(HELP.trimEnd());
  } else if (options.remove !== undefined) {
    await removeFeature(options.remove, options);
  } else if (options['add-field'] !== undefined) {
    await addFields(options['add-field'], options);
  } else {
    const { feature, errors } = parsePayload(await readPayload(options));
    if (feature === undefined) throw new CliError(EXIT_INVALID_INPUT, ...errors);
    await createFeature(feature, options);
  }
}
