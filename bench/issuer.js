// An identity provider on the loopback interface, and tokens of it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const AUDIENCE = 'https://api.petsage.io';

/**
 * Starts an issuer with a key of each algorithm.
 *
 * @param {string[]} algorithms
 * @returns the settings of a service that accepts its tokens, and a token of the user `alice` for each algorithm
 */
export async function startIssuer(algorithms) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const url = `http://127.0.0.1:${port}`;
  /** @type {import('jose').JWK[]} */
  const keys = [];
  /** @type {string[]} */
  const tokens = [];
  for (const alg of algorithms) {
    const { privateKey, publicKey } = await generateKeyPair(alg);
    keys.push({ ...(await exportJWK(publicKey)), kid: alg, alg });
    const token = await new SignJWT({ scope: 'pets:read' })
      .setProtectedHeader({ alg, kid: alg })
      .setIssuer(url)
      .setAudience(AUDIENCE)
      .setSubject('alice')
      .setExpirationTime('8h')
      .sign(privateKey);
    tokens.push(token);
  }
  server.on('request', (req, res) => {
    const isDiscovery = req.url === '/.well-known/openid-configuration';
    res.end(JSON.stringify(isDiscovery ? { issuer: url, jwks_uri: `${url}/keys` } : { keys }));
  });
  return { settings: [`AUTH_ISSUER=${url}`, `AUTH_AUDIENCE=${AUDIENCE}`], tokens };
}
