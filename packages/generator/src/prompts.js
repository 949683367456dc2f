import { input, select } from '@inquirer/prompts';
import { findConflicts } from './conflicts.js';
import { parseFieldOptions } from './fields.js';
import { parsePayload } from './payload.js';

/**
 * @typedef {(question: { message: string, validate: (answer: string) => string | true }) => Promise<string>} Ask
 * @typedef {{ resource?: true, owned?: true, public?: true }} Flags
 */

/** @type {{ name: string, value: Flags }[]} */
const STORAGE_CHOICES = [
  { name: 'Nothing', value: {} },
  { name: 'Its fields, for every user with a token', value: { resource: true } },
  {
    name: 'Its fields, each for the user who created them (owned)',
    value: { resource: true, owned: true },
  },
  {
    name: 'Its fields, for everyone without a token (public)',
    value: { resource: true, public: true },
  },
];

/**
 * Asks for the parts of a payload in the terminal.
 *
 * @param {string} root the folder of the project
 * @param {Ask} [ask]
 * @param {(question: { message: string, choices: typeof STORAGE_CHOICES }) => Promise<Flags>} [choose]
 */
export async function promptForPayload(root, ask = input, choose = select) {
  const flags = await choose({
    message: 'What does the feature store?',
    choices: STORAGE_CHOICES,
  });
  const findError = (/** @type {Record<string, unknown>} */ payload) => {
    const { feature, errors } = parsePayload({ ...flags, ...payload });
    return feature ? findConflicts(feature, root)[0] : errors[0];
  };
  // Until the fields are known: a resource needs one.
  const placeholder = flags.resource && { x: 'int' };
  const feature = await ask({
    message: 'Name, such as pet_profile:',
    validate: (feature) => findError({ feature, fields: placeholder }) ?? true,
  });
  const answer = await ask({
    message: 'Description, such as Profiles of pets (empty: the name):',
    validate: (answer) =>
      findError({ feature, description: answer || undefined, fields: placeholder }) ?? true,
  });
  const description = answer || undefined;
  const requirements = await askForList(ask, 'Requirement (empty to continue):', (requirements) =>
    findError({ feature, description, requirements, fields: placeholder }),
  );
  const options = await askForList(
    ask,
    flags.resource
      ? 'Field, such as name:string(1..80)!unique or kind:dog|cat!filter (empty to finish):'
      : 'Field, such as name:string or kind:dog|cat (empty to finish):',
    (options) => {
      const { fields, error } = parseFieldOptions(options);
      return error ?? findError({ feature, description, fields });
    },
    flags.resource && 'A resource stores at least one field.',
  );
  const { fields } = parseFieldOptions(options);
  return { feature, description, requirements, fields, ...flags };
}

/**
 * Asks for items until an answer is empty.
 *
 * @param {Ask} ask
 * @param {string} message
 * @param {(items: string[]) => string | undefined} findError
 * @param {string} [emptyError] why the list must not be empty
 */
async function askForList(ask, message, findError, emptyError) {
  /** @type {string[]} */
  const items = [];
  for (;;) {
    const item = await ask({
      message,
      validate: (answer) => {
        if (answer.trim() !== '') return findError([...items, answer]) ?? true;
        return (items.length === 0 && emptyError) || true;
      },
    });
    if (item.trim() === '') return items;
    items.push(item);
  }
}

/**
 * Formats the command that creates the same feature as the answers.
 *
 * @param {Awaited<ReturnType<typeof promptForPayload>>} payload
 * @param {string} [platform] whose shell reads the command
 */
export function formatCommand(payload, platform = process.platform) {
  const { feature, description, requirements, fields, ...flags } = payload;
  const args = [
    feature,
    ...(description ? ['--description', description] : []),
    ...requirements.flatMap((requirement) => ['--requirement', requirement]),
    ...Object.entries(fields).flatMap(([name, type]) => ['--field', `${name}:${type}`]),
    ...Object.keys(flags).map((flag) => `--${flag}`),
  ];
  return `npm run feature -- ${args.map((arg) => quote(arg, platform)).join(' ')}`;
}

/**
 * @param {string} arg
 * @param {string} platform
 */
function quote(arg, platform) {
  if (/^[\w.:/-]+$/.test(arg)) return arg;
  return platform === 'win32'
    ? `"${arg.replaceAll('"', '\\"')}"`
    : `'${arg.replaceAll("'", "'\\''")}'`;
}
