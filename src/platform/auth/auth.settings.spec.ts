import { parseSettings } from '../settings/parse-settings.js';
import { AuthSettings } from './auth.settings.js';

const PROVIDER = { AUTH_ISSUER: 'https://id.example.com', AUTH_AUDIENCE: 'petsage' };

function parse(env: Record<string, string>): unknown {
  return parseSettings(env, [AuthSettings]).featureSettings.get(AuthSettings);
}

describe('AuthSettings', () => {
  it.each<Record<string, string>>([
    {},
    { NODE_ENV: 'development' },
    { NODE_ENV: 'test' },
    { NODE_ENV: '' },
  ])('need no identity provider with %j', (env) => {
    expect(parse(env)).toMatchObject({ AUTH_ALGORITHMS: ['RS256', 'ES256', 'EdDSA'] });
  });

  it.each<Record<string, string>>([
    { NODE_ENV: 'production' },
    { NODE_ENV: 'staging' },
    { AUTH_AUDIENCE: 'petsage' },
    { AUTH_JWKS_URL: 'https://id.example.com/keys' },
  ])('need an identity provider with %j', (env) => {
    expect(() => parse(env)).toThrow('AUTH_ISSUER: expected an https URL');
  });

  it.each([
    'https://id.example.com',
    'https://tenant.auth0.com/',
    'http://localhost:8080/realms/pets',
    'http://127.0.0.2',
    'http://[::1]:8080',
  ])('accept the issuer %s', (AUTH_ISSUER) => {
    expect(parse({ ...PROVIDER, AUTH_ISSUER })).toMatchObject({ AUTH_ISSUER });
  });

  it.each([
    'http://id.example.com',
    'ftp://id.example.com',
    'id.example.com',
    'https://id.example.com\n',
    ' https://id.example.com',
    'https://user@id.example.com',
    'https://:password@id.example.com',
    'https://id.example.com?x=1',
    'https://id.example.com#x',
  ])('reject the issuer %j', (AUTH_ISSUER) => {
    expect(() => parse({ ...PROVIDER, AUTH_ISSUER })).toThrow('AUTH_ISSUER: expected an https URL');
  });

  it('accept a URL of keys with a query', () => {
    const AUTH_JWKS_URL = 'https://id.example.com/keys?appid=1';
    expect(parse({ ...PROVIDER, AUTH_JWKS_URL })).toMatchObject({ AUTH_JWKS_URL });
  });

  it('reject an audience with white space', () => {
    expect(() => parse({ ...PROVIDER, AUTH_AUDIENCE: 'petsage\n' })).toThrow(
      'AUTH_AUDIENCE: expected the audience of the tokens',
    );
  });

  it('accept white space around algorithms', () => {
    expect(parse({ AUTH_ALGORITHMS: 'RS256, EdDSA ' })).toMatchObject({
      AUTH_ALGORITHMS: ['RS256', 'EdDSA'],
    });
  });

  it.each(['none', 'HS256', 'RS256,HS256', 'rs256', ','])(
    'reject the algorithms %s',
    (AUTH_ALGORITHMS) => {
      expect(() => parse({ ...PROVIDER, AUTH_ALGORITHMS })).toThrow(
        'AUTH_ALGORITHMS: expected algorithms of RS256',
      );
    },
  );
});
