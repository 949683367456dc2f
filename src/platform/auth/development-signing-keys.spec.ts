import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { DevelopmentSigningKeys } from './development-signing-keys.js';

describe('DevelopmentSigningKeys', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'petsage-keys-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function start(directory = folder): Promise<DevelopmentSigningKeys> {
    const keys = new DevelopmentSigningKeys(directory);
    await keys.onModuleInit();
    return keys;
  }

  it('creates one key for processes that start together', async () => {
    const started = await Promise.all(Array.from({ length: 20 }, () => start()));
    const tokens = await Promise.all(started.map((keys) => keys.createToken({ sub: 'alice' })));
    for (const token of tokens) {
      const key = started[0]?.getKey();
      if (key)
        await expect(jwtVerify(token, key)).resolves.toMatchObject({ payload: { sub: 'alice' } });
    }
    expect(await readdir(folder)).toEqual(['auth-key.json']);
  });

  it('keeps the key', async () => {
    const token = await (await start()).createToken({ sub: 'alice' });
    await expect(jwtVerify(token, (await start()).getKey())).resolves.toBeDefined();
  });

  it('names DATA_DIR if it cannot be written', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(start(file)).rejects.toThrow(
      /^The key for tokens of development cannot be read: .*ENOTDIR.*Set DATA_DIR to a folder/,
    );
  });
});
