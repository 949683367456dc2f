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

function removeRequestField({ components }: OpenAPIObject): void {
  const schema = components?.schemas?.EchoRequest as SchemaObject;
  delete schema.properties?.ping;
  delete schema.required;
}

function renameOperation({ paths }: OpenAPIObject): void {
  const operation = paths['/smoke-test']?.get;
  if (operation) operation.operationId = 'renamed';
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
  document.info.version = `${Number.parseInt(document.info.version) + 1}.0.0`;
}

describe('npm run check:contract', () => {
  it('says what to do without Go', async () => {
    const { status, stderr } = await checkContract(addOptionalField, { PATH: '' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('It needs Go 1.21 or newer')]);
  });

  // Go 1.21 or newer can download what oasdiff needs.
  const { stdout } = spawnSync('go', ['version'], { encoding: 'utf8' }) as {
    stdout: string | null;
  };
  const hasGo = Number(/go1\.(\d+)/.exec(stdout ?? '')?.[1]) >= 21;

  (hasGo ? describe : describe.skip)('with Go', () => {
    it.each([
      ['a removed response field', removeResponseField, 'response-required-property-removed'],
      ['a removed request field', removeRequestField, 'request-property-removed'],
      ['a renamed operation', renameOperation, 'api-operation-id-removed'],
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
