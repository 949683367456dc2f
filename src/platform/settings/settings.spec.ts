import { parseSettings } from './parse-settings.js';
import type { Settings } from './settings.js';

function parse(env: Record<string, string>): Settings {
  return parseSettings(env).settings;
}

function readErrors(env: Record<string, string>): string[] {
  try {
    parse(env);
    return [];
  } catch (error) {
    return (error as AggregateError).errors.map(({ message }: Error) => message);
  }
}

describe('Settings', () => {
  it('returns the defaults for an empty environment', () => {
    expect(parse({})).toEqual({
      PORT: 8000,
      HOST: '0.0.0.0',
      DOCS: true,
      LOG_LEVEL: 'info',
      LOG_PROBE_TIMEOUT_MS: 1000,
      BODY_LIMIT: '100kb',
      TRUST_PROXY: false,
      SHUTDOWN_DELAY_MS: 5000,
      SHUTDOWN_TIMEOUT_MS: 20_000,
      GIT_REVISION: 'unknown',
      REUSE_PORT: false,
    });
  });

  it('converts the variables of settings and ignores others', () => {
    const env = {
      PORT: '0',
      HOST: '::1',
      MANAGEMENT_PORT: '9000',
      DOCS: 'false',
      LOG_LEVEL: 'silent',
      LOG_FILE: '/var/log/petsage.log',
      LOG_PROBE_TIMEOUT_MS: '50',
      BODY_LIMIT: '2MB',
      CORS_ORIGINS: 'https://app.petsage.io, http://localhost:3000',
      TRUST_PROXY: '2',
      ROOT_PATH: '/petsage',
      SHUTDOWN_DELAY_MS: '0',
      SHUTDOWN_TIMEOUT_MS: '500',
      GIT_REVISION: '4f2a9c1',
      REUSE_PORT: 'false',
      PATH: '/bin',
    };
    expect(parse(env)).toEqual({
      PORT: 0,
      HOST: '::1',
      MANAGEMENT_PORT: 9000,
      DOCS: false,
      LOG_LEVEL: 'silent',
      LOG_FILE: '/var/log/petsage.log',
      LOG_PROBE_TIMEOUT_MS: 50,
      BODY_LIMIT: '2MB',
      CORS_ORIGINS: ['https://app.petsage.io', 'http://localhost:3000'],
      TRUST_PROXY: 2,
      ROOT_PATH: '/petsage',
      SHUTDOWN_DELAY_MS: 0,
      SHUTDOWN_TIMEOUT_MS: 500,
      GIT_REVISION: '4f2a9c1',
      REUSE_PORT: false,
    });
  });

  it('treats an empty variable as unset', () => {
    expect(parse({ PORT: '', HOST: '' })).toEqual(parse({}));
  });

  it.each([
    ['PORT', ['0', '65535'], ['65536', '-1', '80.5', '8e3', '0x50', 'http', ' 80', 'NaN']],
    ['MANAGEMENT_PORT', ['0', '9000', '65535'], ['65536', '-1', 'metrics']],
    ['DOCS', ['true', 'false'], ['1', 'no', 'TRUE']],
    ['HOST', ['localhost', '127.0.0.1', '::', 'api.petsage.io'], ['a b', 'http://x', '/tmp/s']],
    ['LOG_LEVEL', ['trace', 'fatal', 'silent'], ['verbose', 'INFO', '30', 'inf']],
    ['LOG_PROBE_TIMEOUT_MS', ['1', '60000'], ['0', '60001', '1s']],
    [
      'BODY_LIMIT',
      ['1', '1b', '100kb', '99MB'],
      ['0', '-1kb', '1.5mb', '10 apples', '100mb', 'kb'],
    ],
    [
      'CORS_ORIGINS',
      ['*', 'https://petsage.io', 'http://localhost:3000,https://a.io , https://b.io'],
      ['petsage.io', 'https://petsage.io/', 'https://a.io,', 'ftp://a.io', 'https://*.a.io'],
    ],
    [
      'TRUST_PROXY',
      ['true', 'false', '0', '2', 'loopback', '10.0.0.0/8, uniquelocal', '::1'],
      ['yes', '10.0.0.0/99', 'proxy.local', '-1'],
    ],
    [
      'ROOT_PATH',
      ['/petsage', '/api/v1.0'],
      ['/', '/api/', 'api', '//api', 'https://a.io', '/a b'],
    ],
    ['SHUTDOWN_DELAY_MS', ['0', '600000'], ['600001', '-1', '5s']],
    ['SHUTDOWN_TIMEOUT_MS', ['0', '600000'], ['600001', '-1', '5s']],
    // Accepting true depends on the version of Node.
    ['REUSE_PORT', ['false'], ['yes', '1', 'TRUE']],
    ['GIT_REVISION', ['4f2a9c1', 'v1.0.0', 'feature/pets+1'], ['a b', '"x"', 'ü']],
  ])('validates %s', (name, valid, invalid) => {
    for (const value of valid) expect(readErrors({ [name]: value })).toEqual([]);
    for (const value of invalid) {
      const errors = readErrors({ [name]: value });
      const parts = errors.map((error) => /^(\w+): expected .+, got (.+)$/.exec(error)?.slice(1));
      expect(parts).toEqual([[name, JSON.stringify(value)]]);
    }
  });

  it('rejects the same port for MANAGEMENT_PORT and PORT', () => {
    expect(() => parse({ MANAGEMENT_PORT: '8000' })).toThrow(
      'MANAGEMENT_PORT: expected a port other than PORT, got "8000"',
    );
    expect(parse({ PORT: '0', MANAGEMENT_PORT: '0' })).toMatchObject({ MANAGEMENT_PORT: 0 });
  });

  it('reports each invalid variable, and no value of others', () => {
    const env = { PORT: 'http', HOST: 'a b', LOG_LEVEL: 'loud', BODY_LIMIT: 'big', SECRET: 'x' };
    expect(readErrors(env)).toEqual([
      'PORT: expected a whole number from 0 to 65535, got "http"',
      'HOST: expected an IP address or a host name, got "a b"',
      'LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
      'BODY_LIMIT: expected a size from 1b to 99mb, such as 100kb, got "big"',
    ]);
  });
});
