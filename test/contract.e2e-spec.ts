import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenAPIObject, SchemaObject } from '@nestjs/swagger';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petsage-contract-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Compares the committed document with a changed copy of it. */
async function checkContract(change: (document: OpenAPIObject) => void, env = process.env) {
  const document = JSON.parse(await readFile('openapi.json', 'utf8')) as OpenAPIObject;
  change(document);
  const current = join(folder, 'openapi.json');
  await writeFile(current, JSON.stringify(document));
  const args = ['scripts/check-contract.js', 'openapi.json', current];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env });
}

function removeResponseField({ components }: OpenAPIObject): void {
  const schema = components?.schemas?.EchoResponse as SchemaObject;
  delete schema.properties?.pong;
  schema.required = schema.required?.filter((name) => name !== 'pong');
}

function removeOperation({ paths }: OpenAPIObject): void {
  delete paths['/smoke-test'];
}

function addOptionalField({ components }: OpenAPIObject): void {
  for (const name of ['EchoRequest', 'EchoResponse']) {
    const { properties = {} } = components?.schemas?.[name] as SchemaObject;
    properties.mood = { anyOf: [{ type: 'string' }, { type: 'null' }] };
  }
}

function releaseMajorVersion(document: OpenAPIObject): void {
  removeResponseField(document);
  document.info.version = '2.0.0';
}

describe('npm run check:contract', () => {
  it('says what to do without Go', async () => {
    const { status, stderr } = await checkContract(addOptionalField, { PATH: '' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('Install Go 1.26 or newer')]);
  });

  const hasGo = spawnSync('go', ['version']).status === 0;

  (hasGo ? describe : describe.skip)('with Go', () => {
    it.each([
      ['a removed response field', removeResponseField, 'response-required-property-removed'],
      ['a removed operation', removeOperation, 'api-path-removed-without-deprecation'],
    ])('fails on %s', async (_, change, finding) => {
      const { status, stdout, stderr } = await checkContract(change);
      expect([status, stdout]).toEqual([1, expect.stringContaining(finding)]);
      expect(stderr).toContain('raise the major version in package.json');
    });

    it('passes with an added optional field', async () => {
      const { status, stdout } = await checkContract(addOptionalField);
      expect([status, stdout]).toEqual([0, expect.stringContaining('No breaking changes')]);
    });

    it('lists a breaking change and passes with a higher major version', async () => {
      const { status, stdout } = await checkContract(releaseMajorVersion);
      const finding = 'response-required-property-removed';
      expect([status, stdout]).toEqual([0, expect.stringContaining(finding)]);
    });
  });
});
