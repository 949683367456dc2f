import { input } from '@inquirer/prompts';
import { findConflicts } from './conflicts.js';
import { parseFieldOptions } from './fields.js';
import { parsePayload } from './payload.js';

/** @typedef {(question: { message: string, validate: (answer: string) => string | true }) => Promise<string>} Ask */

/**
 * Asks for the parts of a payload in the terminal.
 *
 * @param {string} root the folder of the project
 * @param {Ask} [ask]
 */
export async function promptForPayload(root, ask = input) {
  const feature = await ask({
    message: 'Name, such as pet_profile:',
    validate: (name) => {
      const parsed = parsePayload({ feature: name, description: 'x' });
      const conflicts = parsed.feature ? findConflicts(parsed.feature, root) : [];
      return parsed.errors[0] ?? conflicts[0] ?? true;
    },
  });
  const description = await ask({
    message: 'Description, such as Profiles of pets:',
    validate: (text) => parsePayload({ feature, description: text }).errors[0] ?? true,
  });
  const requirements = await askForList(
    ask,
    'Requirement (empty to continue):',
    (requirements) => parsePayload({ feature, description, requirements }).errors[0],
  );
  const options = await askForList(
    ask,
    'Field, such as name:string or kind:dog|cat (empty to finish):',
    (options) => {
      const { fields, error } = parseFieldOptions(options);
      return error ?? parsePayload({ feature, description, fields }).errors[0];
    },
  );
  return { feature, description, requirements, fields: parseFieldOptions(options).fields };
}

/**
 * Asks for items until an answer is empty.
 *
 * @param {Ask} ask
 * @param {string} message
 * @param {(items: string[]) => string | undefined} findError
 */
async function askForList(ask, message, findError) {
  /** @type {string[]} */
  const items = [];
  for (;;) {
    const item = await ask({
      message,
      validate: (answer) => answer.trim() === '' || (findError([...items, answer]) ?? true),
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
  const { feature, description, requirements, fields } = payload;
  const args = [
    feature,
    '--description',
    description,
    ...requirements.flatMap((requirement) => ['--requirement', requirement]),
    ...Object.entries(fields).flatMap(([name, type]) => ['--field', `${name}:${type}`]),
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
