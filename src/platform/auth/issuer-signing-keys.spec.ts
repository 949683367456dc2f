import { jest } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { decodeProtectedHeader, errors, type FlattenedJWSInput } from 'jose';
import { Issuer } from '../../../test/fixtures/issuer.js';
import { AuthSettings } from './auth.settings.js';
import { IssuerSigningKeys } from './issuer-signing-keys.js';
import { KeysUnavailableError } from './signing-keys.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

describe('IssuerSigningKeys', () => {
  let issuer: Issuer;
  let keys: IssuerSigningKeys;
  let now: number;

  beforeAll(() => {
    Logger.overrideLogger(false);
  });

  beforeEach(async () => {
    issuer = await Issuer.start('EdDSA');
    keys = createKeys({});
    now = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    keys.onApplicationShutdown();
    await issuer.close();
  });

  function createKeys(settings: Partial<AuthSettings>): IssuerSigningKeys {
    return new IssuerSigningKeys(Object.assign(new AuthSettings(), issuer.settings, settings));
  }

  async function findKey(kid = 'key-1', alg = 'EdDSA'): Promise<unknown> {
    return keys.getKey({ alg, kid }, {} as FlattenedJWSInput);
  }

  it('reads nothing before the first token', async () => {
    await setTimeout(0);
    expect(issuer.requests).toEqual([]);
  });

  it('finds the keys with the discovery document, once for concurrent tokens', async () => {
    const found = await Promise.all([findKey(), findKey(), findKey()]);
    expect(found[0]).toMatchObject({ type: 'public' });
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('reads AUTH_JWKS_URL without the discovery document', async () => {
    keys = createKeys({ AUTH_JWKS_URL: `${issuer.url}/keys` });
    await findKey();
    expect(issuer.requests).toEqual(['/keys']);
  });

  it('reads the keys again for an unknown kid, at most once in 30 seconds', async () => {
    await findKey();
    now = 30_000;
    await issuer.addKey('EdDSA');
    await expect(findKey('key-2')).resolves.toMatchObject({ type: 'public' });
    for (let i = 0; i < 1000; i++) {
      await expect(findKey(`unknown-${i}`)).rejects.toThrow(errors.JWKSNoMatchingKey);
    }
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/keys', '/keys']);
  });

  it('counts a failed attempt as one of the 30 seconds', async () => {
    await issuer.close();
    for (let i = 0; i < 100; i++) await expect(findKey()).rejects.toThrow(KeysUnavailableError);
    await issuer.listen();
    await expect(findKey()).rejects.toThrow(KeysUnavailableError);
    expect(issuer.requests).toEqual([]);
    now = 30_000;
    await expect(findKey()).resolves.toBeDefined();
  });

  it('accepts known keys for a day while the issuer is down', async () => {
    await findKey();
    await issuer.close();
    now = DAY_MS;
    await expect(findKey()).resolves.toBeDefined();
    now += 1;
    await expect(findKey()).rejects.toThrow(KeysUnavailableError);
  });

  it('reports an unknown kid as unavailable while the issuer is down', async () => {
    await findKey();
    await issuer.close();
    now = 30_000;
    await expect(findKey('key-2')).rejects.toThrow(KeysUnavailableError);
    await expect(findKey('key-1')).resolves.toBeDefined();
  });

  it('rejects keys that the issuer has removed, ten minutes later at the latest', async () => {
    jest.useFakeTimers({
      doNotFake: ['performance', 'nextTick', 'setImmediate', 'queueMicrotask'],
    });
    try {
      keys.onModuleInit();
      await findKey();
      await issuer.addKey('EdDSA');
      issuer.removeOldKeys();
      now = 10 * MINUTE_MS;
      jest.advanceTimersByTime(10 * MINUTE_MS);
      await expect(findKey('key-2')).resolves.toBeDefined();
      await expect(findKey('key-1')).rejects.toThrow(errors.JWKSNoMatchingKey);
    } finally {
      jest.useRealTimers();
    }
  });

  it('keeps its keys if the issuer returns none', async () => {
    await findKey();
    issuer.keys.length = 0;
    now = 30_000;
    await expect(findKey('unknown')).rejects.toThrow(KeysUnavailableError);
    await expect(findKey('key-1')).resolves.toBeDefined();
  });

  it.each([
    [
      'an HTML page',
      (issuer: Issuer) => {
        issuer.respond = (_req, res) => res.writeHead(200).end('<html></html>');
      },
    ],
    [
      'an error',
      (issuer: Issuer) => {
        issuer.respond = (_req, res) => res.writeHead(500).end('{}');
      },
    ],
    [
      'a redirect',
      (issuer: Issuer) => {
        issuer.respond = (_req, res) => res.writeHead(302, { Location: '/keys' }).end();
      },
    ],
    [
      'null',
      (issuer: Issuer) => {
        issuer.respond = (_req, res) => res.writeHead(200).end('null');
      },
    ],
    [
      'another issuer',
      (issuer: Issuer) => {
        issuer.respond = (_req, res) => {
          res.end(JSON.stringify({ issuer: 'https://other', jwks_uri: `${issuer.url}/keys` }));
        };
      },
    ],
    [
      'keys that are not protected by TLS',
      (issuer: Issuer) => {
        issuer.respond = (_req, res) => {
          res.end(JSON.stringify({ issuer: issuer.url, jwks_uri: 'http://192.0.2.1/keys' }));
        };
      },
    ],
  ])('reports %s instead of the discovery document as unavailable', async (_, prepare) => {
    prepare(issuer);
    await expect(findKey()).rejects.toThrow(KeysUnavailableError);
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration']);
  });

  it('finds the key of a token without kid, if it is the only one of its algorithm', async () => {
    const header = decodeProtectedHeader(await issuer.createToken({}, { kid: undefined }));
    await expect(
      keys.getKey(header as { alg: string }, {} as FlattenedJWSInput),
    ).resolves.toBeDefined();
  });
});
