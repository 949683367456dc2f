// npm run token -- --sub alice --scope "pets:read pets:write": prints a token for development.
import 'reflect-metadata';

const USAGE = `Usage: npm run token -- --sub ID [--scope "SCOPE …"] [--expires-in 8h]

Prints a bearer token that this service accepts while AUTH_ISSUER is not set.
`;

const { runCommand, UsageError } = await import('../dist/platform/command.js');
const { StartupError } = await import('../dist/platform/startup-error.js');

const options = /** @type {const} */ ({
  sub: { type: 'string' },
  scope: { type: 'string' },
  'expires-in': { type: 'string' },
});

await runCommand(USAGE, { options }, async ({ values }) => {
  const { sub, scope, 'expires-in': expiresIn } = values;
  if (!sub) throw new UsageError('Expected --sub');
  console.log(await createToken({ sub, scope, expiresIn }));
});

/** @param {import('../src/platform/auth/development-signing-keys.js').TokenOptions} options */
async function createToken(options) {
  const { AuthSettings } = await import('../dist/platform/auth/auth.settings.js');
  const { DevelopmentSigningKeys } =
    await import('../dist/platform/auth/development-signing-keys.js');
  const { loadSettings } = await import('../dist/platform/settings/load-settings.js');
  const { AUTH_ISSUER, DATA_DIR } = loadSettings([AuthSettings]).featureSettings.get(AuthSettings);
  if (AUTH_ISSUER !== undefined) {
    throw new StartupError(`AUTH_ISSUER is set. Request a token from ${AUTH_ISSUER}.`);
  }
  const keys = new DevelopmentSigningKeys(DATA_DIR);
  await keys.onModuleInit();
  try {
    return await keys.createToken(options);
  } catch (error) {
    // The time of --expires-in is invalid.
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}
