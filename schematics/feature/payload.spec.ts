import { conflictsOf } from './conflicts.js';
import { readPayload } from './payload.js';

const RIGHT = { feature: 'pet_profile', description: 'Profiles of pets' };

/** What is said of a payload that has one thing in place of what is right. */
function faultsOf(change: Record<string, unknown>): string[] {
  return readPayload({ ...RIGHT, ...change }).faults;
}

describe('readPayload', () => {
  it('reads a payload in all its parts', () => {
    const payload = {
      feature: 'pet_profile',
      description: '  Profiles\n of pets ',
      requirements: 'An owner lists their pets',
      fields: { name: 'string', ages: 'int[]?', kind: 'dog|cat' },
    };
    expect(readPayload(payload)).toEqual({
      faults: [],
      feature: {
        name: 'pet_profile',
        folder: 'pet-profile',
        className: 'PetProfile',
        title: 'Pet profile',
        description: 'Profiles of pets',
        requirements: ['An owner lists their pets'],
        fields: [
          { name: 'name', typeName: 'string', isList: false, isOptional: false },
          { name: 'ages', typeName: 'int', isList: true, isOptional: true },
          { name: 'kind', choices: ['dog', 'cat'], isList: false, isOptional: false },
        ],
        payload: {
          feature: 'pet_profile',
          description: 'Profiles of pets',
          requirements: ['An owner lists their pets'],
          fields: { name: 'string', ages: 'int[]?', kind: 'dog|cat' },
        },
      },
    });
  });

  it('reads the payload that it gives out to the same feature', () => {
    const { feature } = readPayload({ ...RIGHT, requirements: ['a', 'b'], fields: { a: 'url?' } });
    expect(readPayload(feature?.payload).feature).toEqual(feature);
  });

  it.each([undefined, 'none', []])('takes requirements %j for none', (requirements) => {
    expect(readPayload({ ...RIGHT, requirements }).feature?.requirements).toEqual([]);
  });

  it.each(['pet_profile', 'pet-profile', 'pets', 'p', 'api_v2', 'pet2_profile', 'a'.repeat(50)])(
    'takes %j for a name',
    (feature) => {
      expect(faultsOf({ feature })).toEqual([]);
    },
  );

  it.each([
    '',
    '../x',
    '/etc',
    '__proto__',
    '2fa',
    'a b',
    'naïve',
    'PetProfile',
    'pet__profile',
    'pet_',
    '_pet',
    'pet.profile',
    'a'.repeat(51),
    'pet\n',
    '${x}',
    5,
    null,
    undefined,
    ['pet'],
    {},
  ])('takes %j for no name', (feature) => {
    expect(faultsOf({ feature })).toEqual([
      expect.stringMatching(
        /^feature: expected a name in snake_case such as pet_profile, .*found /,
      ),
    ]);
  });

  it.each([
    'constructor',
    'prototype',
    'con',
    'aux',
    'lpt1',
    'node_modules',
    'docs',
    'metrics',
    'system',
    'api',
    'health',
    'http',
    'app',
  ])('takes %j for a name that is reserved', (feature) => {
    expect(faultsOf({ feature })).toEqual([
      `feature: expected a name in snake_case such as pet_profile, found "${feature}", which is reserved`,
    ]);
  });

  it.each(['x', 'x'.repeat(300), '*/ `${x}` <script>', '🐕'])('takes %j for a text', (text) => {
    expect(faultsOf({ description: text, requirements: [text] })).toEqual([]);
  });

  it.each(['', ' \n\t', '\u0000', 'x'.repeat(301), 5, null, {}])('takes %j for no text', (text) => {
    const sentence = (place: string) =>
      expect.stringContaining(
        `${place}: expected a text of 1 to 300 characters such as "`,
      ) as string;
    expect(faultsOf({ description: text, requirements: [text] })).toEqual([
      sentence('description'),
      sentence('requirements[0]'),
    ]);
  });

  it.each([5, null, true, {}, Array(51).fill('x')])(
    'takes %j for no requirements',
    (requirements) => {
      expect(faultsOf({ requirements })).toEqual([
        expect.stringMatching(
          /^requirements: expected "none", a text, or a list of 50 texts at most such as /,
        ),
      ]);
    },
  );

  it.each(['name', 'birth_date', 'birthDate', 'a', 'A1', 'x'.repeat(50)])(
    'takes %j for a field',
    (name) => {
      expect(faultsOf({ fields: { [name]: 'string' } })).toEqual([]);
    },
  );

  it.each(['', '1a', 'a-b', 'a b', 'ä', '_a', '$a', 'a.b', 'x'.repeat(51), "a';"])(
    'takes %j for no field',
    (name) => {
      expect(faultsOf({ fields: { [name]: 'string' } })).toEqual([
        `fields: expected names of letters, digits and _ such as birth_date, of 50 characters at most, found ${JSON.stringify(name)}`,
      ]);
    },
  );

  it.each([
    'class',
    'await',
    'constructor',
    'toString',
    'hasOwnProperty',
    'then',
    'prototype',
    'undefined',
  ])('takes %j for a field that is reserved', (name) => {
    expect(faultsOf({ fields: { [name]: 'string' } })).toEqual([
      `fields: expected names such as birth_date, found "${name}", which is reserved`,
    ]);
  });

  it('takes __proto__ for no field', () => {
    const fields: unknown = JSON.parse('{"__proto__":"string"}');
    expect(faultsOf({ fields })).toHaveLength(1);
  });

  it.each([
    'string',
    'int',
    'number',
    'boolean',
    'date-time',
    'email',
    'uuid',
    'url',
    'string?',
    'int[]',
    'uuid[]?',
    'dog|cat',
    'dog|cat?',
    'dog|cat[]',
    'a b|c.d|e-f|1',
    `${'x'.repeat(50)}|y`,
  ])('takes %j for a type', (type) => {
    expect(faultsOf({ fields: { name: type } })).toEqual([]);
  });

  it.each([
    '',
    'text',
    'String',
    'int[][]',
    '?',
    '[]',
    'int?[]',
    'int??',
    'dog|',
    '|',
    'dog|dog',
    'dog |cat',
    'dog',
    "dog|'cat",
    'a|`b`',
    `a|${'x'.repeat(51)}`,
    'constructor',
    'toString',
    ' int',
    5,
    null,
    ['string'],
    {},
  ])('takes %j for no type', (type) => {
    expect(faultsOf({ fields: { name: type } })).toEqual([
      expect.stringMatching(
        /^fields\.name: expected one of string, int, .* a choice such as dog\|cat, .*found /,
      ),
    ]);
  });

  it.each([
    5,
    'name:string',
    null,
    [],
    Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`f${i}`, 'int'])),
  ])('takes %j for no fields', (fields) => {
    expect(faultsOf({ fields })).toEqual([
      expect.stringMatching(/^fields: expected 50 names with their types at most such as /),
    ]);
  });

  it.each([undefined, null, 5, 'pet_profile', [], [RIGHT]])(
    'takes %j for no payload',
    (payload) => {
      expect(readPayload(payload)).toEqual({
        feature: undefined,
        faults: [expect.stringMatching(/^Expected a payload such as \{"feature":"pet_profile",/)],
      });
    },
  );

  it('tells all that is wrong at once, unknown keys too', () => {
    const payload = { feature: '2fa', descripton: 'x', requirements: 5, fields: { class: 'text' } };
    expect(readPayload(payload).faults.map((fault) => fault.split(':')[0])).toEqual([
      '"descripton"',
      'feature',
      'description',
      'requirements',
      'fields',
      'fields.class',
    ]);
  });
});

describe('conflictsOf', () => {
  const document = JSON.stringify({
    paths: { '/vet-visit': {} },
    components: { schemas: { OwnerStatus: {}, OwnerRequest: {} } },
  });

  function conflicts(name: string, fields?: Record<string, string>): string[] {
    const { feature } = readPayload({ feature: name, description: 'x', fields });
    if (feature === undefined) throw new Error('The payload is wrong');
    const files: Record<string, string> = {
      'openapi.json': document,
      'test/features/pet-toy.e2e-spec.ts': '',
    };
    return conflictsOf(feature, (path) => files[path], ['pet-profile', 'api-v2']);
  }

  it.each([
    ['pet_profile', 'src/features/pet-profile exists'],
    ['api_v_2', 'src/features/api-v2 has classes of the names ApiV2… already'],
    ['vet_visit', 'the route /vet-visit exists'],
    ['pet_toy', 'test/features/pet-toy.e2e-spec.ts exists'],
    ['owner', 'a DTO of the name OwnerStatus exists'],
  ])('tells with what %s clashes', (name, sentence) => {
    expect(conflicts(name)).toEqual([
      `${name}: ${sentence}; choose another name, such as pet_profile`,
    ]);
  });

  it('looks for the name of the DTO of its fields too', () => {
    expect(conflicts('owner', { name: 'string' })).toHaveLength(2);
  });

  it('finds nothing where there is nothing', () => {
    expect(conflicts('pet_food', { name: 'string' })).toEqual([]);
  });
});
