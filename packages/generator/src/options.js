import { parseArgs } from 'node:util';
import { CliError, EXIT_INVALID_INPUT, getMessage, UsageError } from './cli-error.js';

/** The options that describe a feature. */
const FEATURE_OPTIONS = /** @type {const} */ ({
  description: { type: 'string' },
  requirement: { type: 'string', multiple: true },
  field: { type: 'string', multiple: true },
  path: { type: 'string' },
  resource: { type: 'boolean' },
  public: { type: 'boolean' },
  owned: { type: 'boolean' },
  job: { type: 'boolean' },
});

const OPTIONS = /** @type {const} */ ({
  ...FEATURE_OPTIONS,
  'add-field': { type: 'string', multiple: true },
  payload: { type: 'string' },
  remove: { type: 'string' },
  force: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
});

/** npm has options of these names too. */
const OPTIONS_OF_NPM = ['description', 'force', 'help'];

export const SEPARATE_OPTIONS =
  'Put -- before the options: npm run feature -- NAME --description TEXT.';

/** @typedef {ReturnType<typeof parseOptions>} Options */

/** Parses the command line. */
export function parseOptions() {
  rejectOptionsForNpm();
  let args;
  try {
    args = parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new UsageError(getMessage(error).replace(/\.$/, ''));
  }
  const { positionals: names, values } = args;
  const { payload, remove } = values;
  const hasFeatureOptions = Object.keys(FEATURE_OPTIONS).some((name) => name in values);
  const modes = [
    names.length > 0 || hasFeatureOptions,
    payload !== undefined,
    remove !== undefined,
  ];
  if (modes.filter(Boolean).length > 1) {
    throw new UsageError('A feature name with options, --payload and --remove exclude each other');
  }
  if (values.force && remove === undefined) {
    throw new UsageError('--force is only valid with --remove');
  }
  const hasOthers = hasFeatureOptions || payload !== undefined || names.length !== 1;
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
  const options = Object.keys(OPTIONS)
    .filter((name) => !OPTIONS_OF_NPM.includes(name))
    .filter((name) => process.env[`npm_config_${name.replace('-', '_')}`] !== undefined)
    .map((name) => `--${name}`);
  if (options.length > 0) {
    throw new CliError(
      EXIT_INVALID_INPUT,
      `npm did not pass on ${options.join(', ')}. ${SEPARATE_OPTIONS}`,
    );
  }
}
