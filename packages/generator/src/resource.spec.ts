import { parsePayload } from './payload.js';
import { joinName, type Resource, type StoredField } from './resource.js';

function parse(change: Record<string, unknown> = {}) {
  const payload = { feature: 'pet_profile', description: 'Profiles of pets', resource: true };
  return parsePayload({ ...payload, fields: { name: 'string(1..80)' }, ...change });
}

function parseField(type: unknown): { field?: StoredField; error?: string } {
  const { feature, errors } = parse({ fields: { value: type } });
  return { field: feature?.resource?.fields[0], error: errors[0] };
}

describe('parsePayload of a resource', () => {
  it('describes its names and its path', () => {
    const { feature, errors } = parse();
    expect(errors).toEqual([]);
    expect(feature).toMatchObject({
      path: '/api/v1/pet-profiles',
      resource: {
        isPublic: false,
        isOwned: false,
        table: 'pet_profiles',
        words: 'pet profile',
        pluralWords: 'pet profiles',
        pluralFolder: 'pet-profiles',
        pluralClassName: 'PetProfiles',
      } satisfies Partial<Resource>,
    });
  });

  it('returns a payload that describes the same resource', () => {
    const { feature } = parse({
      owned: true,
      path: '/pets',
      fields: { name: 'string(1..80)?!unique!filter', owner: 'ref(owner_profile)?' },
    });
    expect(feature?.payload).toMatchObject({ resource: true, owned: true, path: '/pets' });
    expect(parsePayload(feature?.payload).feature).toEqual(feature);
  });

  it.each([
    ['news', 'news'],
    ['sheep', 'sheep'],
    ['analysis', 'analyses'],
    ['person', 'people'],
    ['vet_visit', 'vet_visits'],
    ['pets', 'pets'],
    ['i', 'is'],
    ['vet2', 'vet2s'],
  ])('names the table of %s %s', (feature, table) => {
    expect(parse({ feature }).feature?.resource?.table).toBe(table);
  });

  it.each(['auth', 'database', 'id_params', 'schema_migration', 'scheduled_job', 'pg_user'])(
    'rejects the name %s',
    (feature) => {
      expect(parse({ feature }).errors).toEqual([
        `feature: "${feature}" is a reserved name of resources. Choose another name.`,
      ]);
      expect(parse({ feature, resource: undefined }).errors).toEqual([]);
    },
  );

  it.each([
    ['resource', 'yes', 'resource: "yes" is not valid. Use true or false.'],
    ['public', 1, 'public: 1 is not valid. Use true or false.'],
    ['owned', null, 'owned: null is not valid. Use true or false.'],
  ])('rejects the value of %s', (key, value, error) => {
    expect(parse({ [key]: value }).errors).toContain(error);
  });

  it.each(['public', 'owned'])('rejects %s without resource', (key) => {
    expect(parse({ resource: undefined, [key]: true }).errors).toEqual([
      `${key}: only a resource can be ${key}. Add "resource": true (--resource).`,
    ]);
  });

  it('rejects public and owned together', () => {
    expect(parse({ public: true, owned: true }).errors).toEqual([
      'public and owned: a resource whose rows belong to users needs a token. Choose one of them.',
    ]);
  });

  it.each([undefined, null, 'none', {}])('rejects the fields %j', (fields) => {
    expect(parse({ fields }).errors).toEqual([
      'fields: a resource stores at least one field. Add one such as name:string(1..80).',
    ]);
  });

  it.each(['id', 'createdAt', 'updated_at', 'version', 'limit', 'cursor', 'ownerSub', 'xmin'])(
    'rejects the field %s',
    (name) => {
      expect(parse({ fields: { [name]: 'int' } }).errors).toEqual([
        `fields: "${name}" is a reserved name of resources. Choose another name.`,
      ]);
    },
  );

  it('rejects two fields with the same column', () => {
    expect(parse({ fields: { petName: 'int', pet_name: 'int' } }).errors).toEqual([
      'fields: petName and pet_name would have the same column pet_name. Rename one of them.',
    ]);
  });

  it('rejects a field whose column is too long', () => {
    const name = 'aB'.repeat(25);
    expect(parse({ fields: { [name]: 'int' } }).errors).toEqual([
      `fields: "${name}" is too long for a column. Use at most 63 characters in snake_case.`,
    ]);
  });
});

describe('a stored field', () => {
  it.each([
    ['int', 'bigint', 4],
    ['int(3..3)', 'bigint', undefined],
    ['number(0.2..0.7)', 'double precision', 0.2],
    ['boolean', 'boolean', false],
    ['date', 'date', '2026-01-30'],
    ['date-time', 'timestamptz(3)', '2027-01-31T12:00:00.000Z'],
    ['uuid', 'uuid', '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c12'],
    ['email', 'text', 'other.rex@example.com'],
    ['url', 'text', 'https://example.com/other'],
    ['string', 'text', 'other text'],
    ['string(1..9)', 'text', 'tex2'],
    ['string(1..1)', 'text', '2'],
    ['string(0..0)', 'text', undefined],
    ['dog|Häsin', 'text', 'Häsin'],
    ['date[]', 'jsonb', ['2026-01-31', '2026-01-31']],
    ['int[][]', 'jsonb', [[3], [3]]],
  ])('%s has the column type %s', (type, columnType, otherExample) => {
    for (const suffix of ['', '?']) {
      expect(parseField(type + suffix).field).toMatchObject({
        type: type + suffix,
        isOptional: suffix === '?',
        column: 'value',
        columnType,
        otherExample,
      });
    }
  });

  it.each([
    ['string(1..80)!unique', { isUnique: true, isFilter: false }],
    ['string(1..80)!filter', { isUnique: false, isFilter: true }],
    ['string(..600)?!filter!unique', { isUnique: true, isFilter: true, isOptional: true }],
    ['email!unique', { isUnique: true }],
    ['dog|cat!filter', { isFilter: true }],
    ['date-time!filter', { isFilter: true, isTime: true }],
    ['ref(owner_profile)', { isFilter: true, reference: 'owner_profile', isOptional: false }],
    ['ref(owner_profile)?!unique', { isUnique: true, isOptional: true, example: null }],
  ])('parses %s', (type, field) => {
    expect(parseField(type).field).toMatchObject(field);
  });

  it.each([
    ['string!unique', ' needs a maximum length to be unique or filtered by. Use a string of '],
    ['string(1..601)!filter', ' needs a maximum length to be unique or filtered by. '],
    ['url!filter', ' needs a maximum length to be unique or filtered by. '],
    ['string(1..80)[]!filter', ' is a list, which can neither be unique nor filtered by. '],
    ['boolean!unique', ' has too few values to be unique. Remove !unique.'],
    ['int(3..3)!unique', ' has too few values to be unique. Remove !unique.'],
    ['string(0..0)!unique', ' has too few values to be unique. Remove !unique.'],
    ['dog|cat!unique', ' has too few values to be unique. Remove !unique.'],
    ['string(1..80)!unique?', ' has modifiers before the end. Use string(1..80)?!unique.'],
    ['int!unique!filter[]?', ' has modifiers before the end. Use int[]?!unique!filter.'],
    ['text', ' is not a type of a stored field. Use string, int, '],
    ['string(1..80)!index', ' is not a type of a stored field. '],
    ['ref(Owner)', ' is not a type of a stored field. '],
    ['ref(owner)[]', ' is not a type of a stored field. '],
    ['dog|"cat"', ' is not a type of a stored field. '],
    [5, ' is not a type of a stored field. '],
  ])('rejects %s', (type, problem) => {
    expect(parseField(type).error).toContain(`fields.value: ${JSON.stringify(type)}${problem}`);
  });
});

describe('a field that is not stored', () => {
  it.each(['string!unique', 'ref(owner)', 'int!filter'])('rejects %s', (type) => {
    expect(parse({ resource: undefined, fields: { value: type } }).errors).toEqual([
      `fields.value: "${type}" is not a type. Only the fields of a resource have modifiers and references: add "resource": true (--resource).`,
    ]);
  });
});

describe('joinName', () => {
  it('shortens long names, and keeps them different', () => {
    expect(joinName('pets', 'name', 'key')).toBe('pets_name_key');
    const names = ['key', 'idx', 'fkey'].map((suffix) => joinName('a'.repeat(60), 'name', suffix));
    expect(new Set(names).size).toBe(3);
    expect(names.map((name) => name.length)).toEqual([63, 63, 63]);
  });
});
