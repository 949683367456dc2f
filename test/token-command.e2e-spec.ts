import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import request from 'supertest';
import { createTestApp } from './fixtures/app.js';
import { ScopedPetsModule } from './fixtures/features/scoped-pets/scoped-pets.module.js';

describe('npm run token', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'petsage-data-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  /** Runs the command and returns its output. */
  async function printToken(args: string[], env = {}): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/token.js', ...args], {
      env: { PATH: process.env.PATH, DATA_DIR: folder, ...env },
    });
    return stdout.trimEnd();
  }

  it('prints a token that a service with the same DATA_DIR accepts', async () => {
    const token = await printToken(['--sub', 'alice', '--scope', 'pets:read pets:write']);
    const { app } = await createTestApp({
      settings: { DATA_DIR: folder },
      features: [ScopedPetsModule],
    });
    await request(app.getHttpServer())
      .get('/pets')
      .auth(token, { type: 'bearer' })
      .expect(200, { sub: 'alice', scopes: ['pets:read', 'pets:write'] });
  });

  it('keeps the key readable for its owner only', async () => {
    await printToken(['--sub', 'alice']);
    expect((await stat(join(folder, 'auth-key.json'))).mode & 0o777).toBe(0o600);
  });

  it('sets the lifetime', async () => {
    const { iat = 0, exp } = decodeJwt(await printToken(['--sub', 'a', '--expires-in', '5m']));
    expect(exp).toBe(iat + 300);
  });

  it.each([
    [[], 2, 'Expected --sub'],
    [['--sub'], 2, '--sub'],
    [['--user', 'alice'], 2, "Unknown option '--user'"],
    [['--sub', 'alice', '--expires-in', 'soon'], 2, 'Invalid time period format'],
  ])('rejects the arguments %j', async (args, code, message) => {
    await expect(printToken(args)).rejects.toMatchObject({
      code,
      stdout: '',
      stderr: expect.stringContaining(message) as unknown,
    });
  });

  it('rejects a service with an identity provider', async () => {
    const env = { AUTH_ISSUER: 'https://id.example.com', AUTH_AUDIENCE: 'petsage' };
    await expect(printToken(['--sub', 'alice'], env)).rejects.toMatchObject({
      code: 1,
      stderr: 'AUTH_ISSUER is set. Request a token from https://id.example.com.\n',
    });
  });
});
