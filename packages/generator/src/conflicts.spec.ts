import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findConflicts, findReferencingFeatures } from './conflicts.js';
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

describe('conflicts of a resource', () => {
  let root: string;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'petsage-resource-conflicts-'));
    writeResource('owner_profile', { owned: true });
    writeResource('clinic', {});
    writeResource('room', { fields: { clinic: 'ref(clinic)' } });
    mkdirSync(join(root, 'src/features/hand-written'));
    writeFileSync(join(root, 'src/features/hand-written/README.md'), '# Hand-written\n');
    mkdirSync(join(root, 'src/migrations'));
    writeFileSync(
      join(root, 'src/migrations/20270101000000_create_old.sql'),
      'create table vet_visits (\n  id uuid primary key\n);\nCREATE TABLE IF NOT EXISTS "users"(id uuid);\ncreate table toys (id uuid);\n',
    );
    writeFileSync(
      join(root, 'src/migrations/20270102000000_drop_toys.sql'),
      'drop table if exists toys;\n',
    );
    const document = {
      paths: { '/api/v1/vets': { get: {} }, '/api/v1/beds/{id}': { delete: {} } },
      components: { schemas: { CreateLeash: {}, FoodPage: {} } },
    };
    writeFileSync(join(root, 'openapi.json'), JSON.stringify(document));
  });

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  function parse(feature: string, change: object) {
    const payload = { feature, description: 'x', resource: true, fields: { size: 'int' } };
    const parsed = parsePayload({ ...payload, ...change });
    if (parsed.feature === undefined) throw new Error(parsed.errors.join());
    return parsed.feature;
  }

  function writeResource(name: string, change: object): void {
    const { folder, payload } = parse(name, change);
    mkdirSync(join(root, 'src/features', folder), { recursive: true });
    writeFileSync(
      join(root, 'src/features', folder, 'README.md'),
      `# X\n\n## Payload\n\nFrom this.\n\n\`\`\`json\n${JSON.stringify(payload, null, 2)}\n\`\`\`\n`,
    );
  }

  function find(name: string, change: object = {}): string[] {
    return findConflicts(parse(name, change), root);
  }

  it.each([
    ['vet', 'the route GET /api/v1/vets already exists. Choose another path.'],
    ['bed', 'the route DELETE /api/v1/beds/{id} already exists. Choose another path.'],
    ['leash', 'the OpenAPI schema CreateLeash already exists. Choose another name.'],
    ['food', 'the OpenAPI schema FoodPage already exists. Choose another name.'],
    [
      'vet_visit',
      'the table vet_visits already exists: src/migrations/20270101000000_create_old.sql creates it. Choose another name or, if the migration was never deployed, delete it and run: npm run database -- --reset',
    ],
    [
      'vet_visits',
      'the table vet_visits already exists: src/migrations/20270101000000_create_old.sql creates it. Choose another name or, if the migration was never deployed, delete it and run: npm run database -- --reset',
    ],
    [
      'user',
      'the table users already exists: src/migrations/20270101000000_create_old.sql creates it. Choose another name or, if the migration was never deployed, delete it and run: npm run database -- --reset',
    ],
  ])('reports the conflict of %s', (name, conflict) => {
    expect(find(name)).toEqual([`${name}: ${conflict}`]);
  });

  it('accepts a table that was dropped', () => {
    expect(find('toy')).toEqual([]);
  });

  it.each([
    ['nobody', 'references nobody, which is no generated resource in src/features.'],
    ['hand_written', 'references hand_written, which is no generated resource in src/features.'],
    ['owner_profile', 'references owner_profile, whose rows belong to users. Only an owned '],
    [
      'pet',
      'references the resource itself, so that none could be created. Make it optional: ref(pet)?.',
    ],
  ])('reports a reference to %s', (target, conflict) => {
    expect(find('pet', { fields: { other: `ref(${target})` } })).toEqual([
      expect.stringContaining(`pet: the field other ${conflict}`),
    ]);
  });

  it.each([
    [{ fields: { parent: 'ref(pet)?' } }],
    [{ fields: { clinic: 'ref(clinic)' }, public: true }],
    [{ fields: { owner: 'ref(owner_profile)', clinic: 'ref(clinic)' }, owned: true }],
  ])('accepts %j', (change) => {
    expect(find('pet', change)).toEqual([]);
  });

  it('finds the features that reference another one', () => {
    expect(findReferencingFeatures('clinic', root)).toEqual(['room']);
    expect(findReferencingFeatures('room', root)).toEqual([]);
  });
});
