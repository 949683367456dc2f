import { parsePayload } from './payload.js';

const VALID_PAYLOAD = { feature: 'pet_profile', description: 'Profiles of pets' };

function parseErrors(change: Record<string, unknown>): string[] {
  return parsePayload({ ...VALID_PAYLOAD, ...change }).errors;
}

describe('parsePayload', () => {
  it('parses a complete payload', () => {
    const { feature, errors } = parsePayload({
      feature: 'pet_profile',
      description: '  Profiles\n of pets ',
      requirements: 'An owner lists their pets',
      fields: { name: 'string', ages: 'int[]?', kind: 'dog|cat' },
    });
    expect(errors).toEqual([]);
    expect(feature).toMatchObject({
      name: 'pet_profile',
      folder: 'pet-profile',
      className: 'PetProfile',
      path: '/pet-profile',
      title: 'Pet profile',
      description: 'Profiles of pets',
      requirements: ['An owner lists their pets'],
      fields: [
        { name: 'name', isOptional: false, tsType: '(string)' },
        { name: 'ages', isOptional: true, tsType: '(number)[] | null' },
        { name: 'kind', isOptional: false, tsType: '("dog" | "cat")' },
      ],
      payload: {
        feature: 'pet_profile',
        description: 'Profiles of pets',
        requirements: ['An owner lists their pets'],
        fields: { name: 'string', ages: 'int[]?', kind: 'dog|cat' },
      },
    });
  });

  it('returns a payload that describes the same feature', () => {
    const { feature } = parsePayload({
      ...VALID_PAYLOAD,
      requirements: ['a', 'b'],
      fields: { a: 'url?' },
      path: '/api/v1/pets',
    });
    expect(parsePayload(feature?.payload).feature).toEqual(feature);
  });

  it.each([undefined, null, 5, 'pet_profile', [], [VALID_PAYLOAD]])(
    'rejects the payload %j',
    (payload) => {
      expect(parsePayload(payload)).toEqual({
        errors: [expect.stringMatching(/ is not a payload\. Use an object such as \{"feature":/)],
      });
    },
  );

  it.each(['Feature', 'descripton', 'name', 'x'.repeat(10_000)])('rejects the key %.20s', (key) => {
    const shown = key.length > 99 ? `"${key.slice(0, 99)}…` : `"${key}"`;
    expect(parseErrors({ [key]: 'x' })).toEqual([
      `${shown} is not a key of a payload. Use feature, description, requirements, fields, path, resource, public, owned, job.`,
    ]);
  });

  it('reports all errors at once', () => {
    const payload = { feature: '2fa', descripton: 'x', requirements: 5, fields: { a: 'text' } };
    expect(parsePayload(payload).errors.map((error) => error.split(/:| is/)[0])).toEqual([
      '"descripton"',
      'feature',
      'requirements',
      'fields.a',
    ]);
  });
});

describe('feature', () => {
  it.each(['pet_profile', 'pet-profile', 'pets', 'p', 'api_v2', 'pet2_profile', 'a'.repeat(50)])(
    'accepts the name %j',
    (feature) => {
      expect(parseErrors({ feature })).toEqual([]);
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
  ])('rejects the name %j', (feature) => {
    expect(parseErrors({ feature })).toEqual([
      expect.stringMatching(/^feature: .* is not a valid name\. Use at most 50 lowercase letters/),
    ]);
  });

  it.each(['constructor', 'prototype', 'con', 'aux', 'lpt1'])(
    'rejects the reserved name %j',
    (feature) => {
      expect(parseErrors({ feature })).toEqual([
        `feature: "${feature}" is a reserved name. Choose another name.`,
      ]);
    },
  );
});

describe('description and requirements', () => {
  it.each(['x', '*/ `${x}` <script>', '🐕', '👩‍🔬'])('accept the text %j', (text) => {
    const { feature } = parsePayload({ ...VALID_PAYLOAD, description: text, requirements: [text] });
    expect(feature).toMatchObject({ description: text, requirements: [text] });
  });

  it('replace line breaks, control characters and direction marks with spaces', () => {
    const { feature } = parsePayload({
      ...VALID_PAYLOAD,
      description: 'a\r\nb\u0000\u202ec\ud83d',
    });
    expect(feature?.description).toBe('a b c');
  });

  it.each(['', ' \n\t', '\u0000', 5, null, {}])('reject the description %j', (description) => {
    expect(parseErrors({ description })).toEqual([
      expect.stringMatching(/^description: .* is not a text\. Write one sentence\.$/),
    ]);
  });

  it.each([
    [{}, 'Pet profile.'],
    [{ resource: true, fields: { name: 'string' } }, 'Pet profiles.'],
  ])('default to the name for %j', (change, description) => {
    const { feature } = parsePayload({ ...VALID_PAYLOAD, description: undefined, ...change });
    expect(feature).toMatchObject({ description, payload: { description } });
  });

  it.each(['\u0000', 5, {}])('reject the requirement %j', (requirement) => {
    expect(parseErrors({ requirements: ['x', requirement] })).toEqual([
      expect.stringMatching(/^requirements\[1\]: .* is not a text\. Write one sentence\.$/),
    ]);
  });

  it.each([undefined, null, '', ' ', 'none', 'None', [], ['none'], [null, '']])(
    'accept %j as no requirements',
    (requirements) => {
      expect(parsePayload({ ...VALID_PAYLOAD, requirements }).feature?.requirements).toEqual([]);
    },
  );

  it.each([5, true, {}])('reject the requirements %j', (requirements) => {
    expect(parseErrors({ requirements })).toEqual([
      expect.stringMatching(/^requirements: .* is not a list\. Use "none", a sentence, or a list /),
    ]);
  });
});

describe('path', () => {
  it.each(['api/v1/pets', '/api/v1/pets', '/api/v1/pets/'])('accepts %j', (path) => {
    const { feature } = parsePayload({ ...VALID_PAYLOAD, path });
    expect(feature).toMatchObject({ path: '/api/v1/pets', payload: { path: '/api/v1/pets' } });
  });

  it.each(['', '/', '//', 'a//b', '../x', 'Pets', 'a b', ':id', '{id}', '*', "a'b", 5, null, []])(
    'rejects %j',
    (path) => {
      expect(parseErrors({ path })).toEqual([
        expect.stringMatching(/^path: .* is not a valid path\. Use lowercase letters, /),
      ]);
    },
  );
});

describe('fields', () => {
  it.each(['name', 'birth_date', 'birthDate', 'a', 'A1', 'class', 'static', 'x'.repeat(50)])(
    'accept the name %j',
    (name) => {
      expect(parseErrors({ fields: { [name]: 'string' } })).toEqual([]);
    },
  );

  it.each(['', '1a', 'a-b', 'a b', 'ä', '_a', '$a', 'a.b', 'x'.repeat(51), "a';"])(
    'reject the name %j',
    (name) => {
      expect(parseErrors({ fields: { [name]: 'string' } })).toEqual([
        `fields: ${JSON.stringify(name)} is not a valid field name. Use at most 50 letters, digits and underscores, such as birth_date.`,
      ]);
    },
  );

  it.each(['constructor', 'toString', 'hasOwnProperty', 'prototype'])(
    'reject the reserved name %j',
    (name) => {
      expect(parseErrors({ fields: { [name]: 'string' } })).toEqual([
        `fields: "${name}" is a reserved name. Choose another name.`,
      ]);
    },
  );

  it('reject the name __proto__', () => {
    const fields: unknown = JSON.parse('{"__proto__":"string"}');
    expect(parseErrors({ fields })).toHaveLength(1);
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
    'date',
    'string(1..80)',
    'string(..80)?',
    'string(0..)[]',
    'int(-5..30)',
    'number(0.5..)',
    'int[][]',
    '(dog|cat)[][]?',
    'Hund|chó|кот|猫|کتاب‌ها',
  ])('accept the type %j', (type) => {
    expect(parseErrors({ fields: { name: type } })).toEqual([]);
  });

  it.each([
    '',
    'text',
    'String',
    'int[][][]',
    'int()',
    'int(..)',
    'int(3)',
    'int(5..1)',
    'int(0.5..)',
    'int(a..b)',
    'int(1e3..)',
    'string(-1..)',
    'string(1.5..)',
    'boolean(0..1)',
    'dog|cat(0..1)',
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
    'constructor',
    'toString',
    ' int',
    5,
    null,
    ['string'],
    {},
  ])('reject the type %j', (type) => {
    expect(parseErrors({ fields: { name: type } })).toEqual([
      expect.stringMatching(/^fields\.name: .* is not a type\. Use string, int, .*dog\|cat/),
    ]);
  });

  it.each([undefined, null, '', 'none', {}])('accept %j as no fields', (fields) => {
    expect(parsePayload({ ...VALID_PAYLOAD, fields }).feature?.fields).toEqual([]);
  });

  it.each([5, 'name:string', []])('reject the fields %j', (fields) => {
    expect(parseErrors({ fields })).toEqual([
      expect.stringMatching(/^fields: .* is not an object\. Map names to types, such as /),
    ]);
  });
});
