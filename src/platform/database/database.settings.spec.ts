import { parseSettings } from '../settings/parse-settings.js';
import { DatabaseSettings, usesEmbeddedDatabase } from './database.settings.js';

const URL_HINT = 'expected a URL such as postgres://user:password@host:5432/database';

function parse(env: Record<string, string>): DatabaseSettings {
  return parseSettings(env, [DatabaseSettings]).featureSettings.get(
    DatabaseSettings,
  ) as DatabaseSettings;
}

describe('DatabaseSettings', () => {
  it('has defaults', () => {
    expect(parse({})).toEqual({
      NODE_ENV: 'development',
      DATA_DIR: './data',
      DATABASE_POOL_SIZE: 10,
      DATABASE_TIMEOUT_MS: 5000,
    });
  });

  it.each([
    [{}, true],
    [{ NODE_ENV: 'development' }, true],
    [{ NODE_ENV: 'test' }, true],
    [{ DATABASE_URL: 'postgres://db/pets' }, false],
    [{ NODE_ENV: 'production', DATABASE_URL: 'postgres://db/pets' }, false],
  ])('uses the embedded database with %j: %s', (env, expected) => {
    expect(usesEmbeddedDatabase(parse(env))).toBe(expected);
  });

  it.each(['production', 'staging', 'Test'])(
    'requires DATABASE_URL with NODE_ENV=%s',
    (NODE_ENV) => {
      expect(() => parse({ NODE_ENV })).toThrow(
        `DATABASE_URL: ${URL_HINT}, unless NODE_ENV is development or test, but it is not set. Set it in the environment or in .env.`,
      );
    },
  );

  it.each([
    'postgres://user:p%40ss@db.example.com:6432/pets?sslmode=verify-full',
    'postgresql://db/pets',
    'postgres:///pets?host=/var/run/postgresql',
  ])('accepts the URL %s', (url) => {
    const settings = parse({ DATABASE_URL: url, DATABASE_MIGRATE_URL: url });
    expect(settings).toMatchObject({ DATABASE_URL: url, DATABASE_MIGRATE_URL: url });
  });

  it.each([
    'secret',
    'mysql://user:secret@db/pets',
    'postgres://user:secret@db',
    'postgres://user:secret@db/',
  ])('rejects the URL %s without showing it', (url) => {
    expect(() => parse({ DATABASE_URL: url, DATABASE_MIGRATE_URL: url })).toThrow(
      `DATABASE_URL: ${URL_HINT}, unless NODE_ENV is development or test, got a value that is not shown here\nDATABASE_MIGRATE_URL: ${URL_HINT}, got a value that is not shown here`,
    );
  });
});
