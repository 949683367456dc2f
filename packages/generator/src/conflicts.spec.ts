import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findConflicts } from './conflicts.js';
import { parsePayload } from './payload.js';

describe('findConflicts', () => {
  let root: string;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'petsage-conflicts-'));
    mkdirSync(join(root, 'src/features/pet-profile'), { recursive: true });
    mkdirSync(join(root, 'src/features/api-v2'));
    mkdirSync(join(root, 'test/features'), { recursive: true });
    writeFileSync(join(root, 'test/features/pet-toy.e2e-spec.ts'), '');
    const document = {
      paths: { '/vet-visit/smoke-test': { get: {} }, '/vet-tip': { get: {}, post: {} } },
      components: { schemas: { OwnerStatus: {}, OwnerRequest: {} } },
    };
    writeFileSync(join(root, 'openapi.json'), JSON.stringify(document));
  });

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  function find(name: string, fields?: Record<string, string>, path?: string): string[] {
    const { feature } = parsePayload({ feature: name, description: 'x', fields, path });
    if (feature === undefined) throw new Error('The payload is invalid.');
    return findConflicts(feature, root);
  }

  it.each([
    ['pet_profile', 'src/features/pet-profile already exists. Choose another name.'],
    [
      'api_v_2',
      'the class ApiV2Module already exists in src/features/api-v2. Choose another name.',
    ],
    ['vet_visit', 'the route GET /vet-visit/smoke-test already exists. Choose another path.'],
    ['pet_toy', 'test/features/pet-toy.e2e-spec.ts already exists. Choose another name.'],
    ['owner', 'the OpenAPI schema OwnerStatus already exists. Choose another name.'],
  ])('reports the conflict of %s', (name, conflict) => {
    expect(find(name)).toEqual([`${name}: ${conflict}`]);
  });

  it('reports the conflict of the request schema', () => {
    expect(find('owner', { name: 'string' })).toContain(
      'owner: the OpenAPI schema OwnerRequest already exists. Choose another name.',
    );
  });

  it('reports the conflict of the POST route only for a feature with fields', () => {
    expect(find('vet_tip')).toEqual([]);
    expect(find('vet_tip', { name: 'string' })).toEqual([
      'vet_tip: the route POST /vet-tip already exists. Choose another path.',
    ]);
  });

  it('reports the conflict of a path', () => {
    expect(find('pet_food', undefined, '/vet-visit')).toEqual([
      'pet_food: the route GET /vet-visit/smoke-test already exists. Choose another path.',
    ]);
  });

  it('reports nothing for a new name', () => {
    expect(find('pet_food', { name: 'string' })).toEqual([]);
  });
});
