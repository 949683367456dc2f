import { readSettings } from './config.js';

/** What is said of the wrong settings of an environment. */
function faultsOf(env: Record<string, string>): unknown[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    return (error as AggregateError).errors.map((fault: Error) => fault.message);
  }
}

describe('readSettings', () => {
  it('has a default for each setting', () => {
    expect(readSettings({})).toEqual({
      PORT: 8000,
      HOST: '0.0.0.0',
      LOG_LEVEL: 'info',
      LOG_PROBE_TIMEOUT_MS: 1000,
      BODY_LIMIT: '100kb',
    });
  });

  it('takes what the environment sets, and nothing else of it', () => {
    const env = {
      PORT: '0',
      HOST: '::1',
      LOG_LEVEL: 'silent',
      LOG_FILE: '/var/log/petsage.log',
      LOG_PROBE_TIMEOUT_MS: '50',
      BODY_LIMIT: '2MB',
      PATH: '/bin',
    };
    expect(readSettings(env)).toEqual({
      PORT: 0,
      HOST: '::1',
      LOG_LEVEL: 'silent',
      LOG_FILE: '/var/log/petsage.log',
      LOG_PROBE_TIMEOUT_MS: 50,
      BODY_LIMIT: '2MB',
    });
  });

  it('takes an empty variable for one that is not set', () => {
    expect(readSettings({ PORT: '', HOST: '' })).toEqual(readSettings({}));
  });

  it.each([
    ['PORT', ['0', '65535'], ['65536', '-1', '80.5', '8e3', '0x50', 'http', ' 80', 'NaN']],
    ['HOST', ['localhost', '127.0.0.1', '::', 'api.petsage.io'], ['a b', 'http://x', '/tmp/s']],
    ['LOG_LEVEL', ['trace', 'fatal', 'silent'], ['verbose', 'INFO', '30', 'inf']],
    ['LOG_PROBE_TIMEOUT_MS', ['1', '60000'], ['0', '60001', '1s']],
    [
      'BODY_LIMIT',
      ['1', '1b', '100kb', '99MB'],
      ['0', '-1kb', '1.5mb', '10 apples', '100mb', 'kb'],
    ],
  ])('accepts and refuses values of %s', (name, right, wrong) => {
    for (const value of right) {
      expect(() => readSettings({ [name]: value })).not.toThrow();
    }
    for (const value of wrong) {
      expect(faultsOf({ [name]: value })).toEqual([
        expect.stringMatching(`^${name}: expected .*, got ${JSON.stringify(value)}$`),
      ]);
    }
  });

  it('names each wrong variable, with what was expected, and none of the others', () => {
    const env = { PORT: 'http', HOST: 'a b', LOG_LEVEL: 'loud', BODY_LIMIT: 'big', SECRET: 'x' };
    expect(faultsOf(env)).toEqual([
      'PORT: expected a whole number from 0 to 65535, got "http"',
      'HOST: expected an IP address or a host name, got "a b"',
      'LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got "loud"',
      'BODY_LIMIT: expected a size from 1b to 99mb, such as 100kb, got "big"',
    ]);
  });
});
