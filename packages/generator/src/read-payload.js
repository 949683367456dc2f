import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { CliError, EXIT_FAILURE, EXIT_INVALID_INPUT, getMessage, UsageError } from './cli-error.js';
import { parseFieldOptions } from './fields.js';
import { SEPARATE_OPTIONS } from './options.js';
import { parsePayloadText } from './payload-text.js';
import { ROOT } from './project.js';
import { formatCommand, promptForPayload } from './prompts.js';

/**
 * Reads the payload from a file, from answers in the terminal, or from the options.
 *
 * @param {import('./options.js').Options} options
 * @returns {Promise<unknown>}
 */
export async function readPayload(options) {
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
