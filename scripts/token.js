// npm run token -- --sub alice --scope "pets:read pets:write": prints a token for development.
import 'reflect-metadata';
import { parseArgs } from 'node:util';

const USAGE = `Usage: npm run token -- --sub ID [--scope "SCOPE …"] [--expires-in 8h]

Prints a bearer token that this service accepts while AUTH_ISSUER is not set.`;

try {
  const { values } = parseArgs({
    options: {
      sub: { type: 'string' },
      scope: { type: 'string' },
      'expires-in': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
  } else if (!values.sub) {
    throw new TypeError('Expected --sub');
  } else {
    console.log(
      await createToken({ sub: values.sub, scope: values.scope, expiresIn: values['expires-in'] }),
    );
  }
} catch (error) {
  const { message } = /** @type {Error} */ (error);
  console.error(error instanceof TypeError ? `${message}\n\n${USAGE}` : message);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}

/** @param {import('../src/platform/auth/development-signing-keys.js').TokenOptions} options */
async function createToken(options) {
  const { AuthSettings } = await import('../dist/platform/auth/auth.settings.js');
  const { DevelopmentSigningKeys } =
    await import('../dist/platform/auth/development-signing-keys.js');
  const { loadSettings } = await import('../dist/platform/settings/load-settings.js');
  const { AUTH_ISSUER, DATA_DIR } = loadSettings([AuthSettings]).featureSettings.get(AuthSettings);
  if (AUTH_ISSUER !== undefined) {
    throw new Error(`AUTH_ISSUER is set. Request a token from ${AUTH_ISSUER}.`);
  }
  const keys = new DevelopmentSigningKeys(DATA_DIR);
  await keys.onModuleInit();
  return keys.createToken(options);
}
