import { tmpdir } from 'node:os';
import { compareCode, extendResource } from './added-fields.js';
import { parsePayload } from './payload.js';
import { isResource } from './resource-context.js';

function extend(...options: string[]) {
  const { feature } = parsePayload({
    feature: 'pet',
    description: 'Pets',
    resource: true,
    owned: true,
    path: '/pets',
    fields: { name: 'string(1..80)' },
  });
  if (!isResource(feature)) throw new Error('The payload is invalid.');
  return extendResource(feature, options, tmpdir());
}

describe('extendResource', () => {
  it('adds optional fields at the end', () => {
    const { changed, newFields, errors } = extend('weight:number?', 'parent:ref(pet)?!unique');
    expect(errors).toEqual([]);
    expect(newFields.map(({ name }) => name)).toEqual(['weight', 'parent']);
    expect(changed?.payload).toEqual({
      feature: 'pet',
      description: 'Pets',
      requirements: 'none',
      fields: { name: 'string(1..80)', weight: 'number?', parent: 'ref(pet)?!unique' },
      resource: true,
      owned: true,
      path: '/pets',
    });
  });

  it.each([
    ['weight', 'weight: the type is missing. Use NAME:TYPE, such as name:string.'],
    ['name:string?', 'name: the field already exists. Choose another name.'],
    ['weight:text', 'fields.weight: "text" is not a type of a stored field.'],
    ['Name:int?', 'fields: name and Name would have the same column name. Rename one of them.'],
    ['weight:number', 'weight: an added field is optional, because old rows do not have it, '],
    ['code:int!unique', 'Use code:int?!unique.'],
    ['clinic:ref(clinic)?', 'the field clinic references clinic, which is no generated resource'],
  ])('rejects %s', (option, error) => {
    const { changed, errors } = extend(option);
    expect(changed).toBeUndefined();
    expect(errors).toEqual([expect.stringMatching(/^--add-field /)]);
    expect(errors[0]).toContain(error);
  });
});

describe('compareCode', () => {
  const readme = (text: string, payload: string) => `${text}\n## Payload\n${payload}\n`;

  it('writes files that were not edited', () => {
    const { written, patches } = compareCode(
      new Map([
        ['a.ts', 'old'],
        ['same.ts', 'same'],
      ]),
      new Map([
        ['a.ts', 'old'],
        ['same.ts', 'same'],
      ]),
      new Map([
        ['a.ts', 'new'],
        ['same.ts', 'same'],
      ]),
    );
    expect([...written]).toEqual([['a.ts', 'new']]);
    expect(patches).toEqual([]);
  });

  it('merges files whose edits are elsewhere', () => {
    const { written, merged, patches } = compareCode(
      new Map([['a.ts', 'ONE\ntwo\nthree\nfour']]),
      new Map([['a.ts', 'one\ntwo\nthree\nfour']]),
      new Map([['a.ts', 'one\ntwo\nthree\nadded\nfour']]),
    );
    expect([...written, ...patches]).toEqual([]);
    expect([...merged]).toEqual([['a.ts', 'ONE\ntwo\nthree\nadded\nfour']]);
  });

  it('returns the change of a file with an edit of the same lines, and of a deleted one', () => {
    const before = new Map([
      ['a.ts', 'one\ntwo\n'],
      ['b.ts', 'one\n'],
    ]);
    const after = new Map([
      ['a.ts', 'one\nthree\n'],
      ['b.ts', 'two\n'],
    ]);
    const current = new Map([['a.ts', 'one\nTWO\n']]);
    const { written, merged, patches } = compareCode(current, before, after);
    expect([...written, ...merged]).toEqual([]);
    expect(patches).toEqual([
      '--- a.ts\n+++ a.ts\n@@ -1,2 +1,2 @@\n one\n-two\n+three',
      '--- b.ts\n+++ b.ts\n@@ -1,1 +1,1 @@\n-one\n+two',
    ]);
  });

  it('writes the payload of an edited README, and returns the rest of the change', () => {
    const path = 'src/features/pet/README.md';
    const { merged, patches } = compareCode(
      new Map([[path, readme('Edited.', 'old')]]),
      new Map([[path, readme('Generated.\nOld.', 'old')]]),
      new Map([[path, readme('Generated.\nNew.', 'new')]]),
    );
    expect([...merged]).toEqual([[path, readme('Edited.', 'new')]]);
    expect(patches).toEqual([
      `--- ${path}\n+++ ${path}\n@@ -1,4 +1,4 @@\n Generated.\n-Old.\n+New.\n ## Payload\n new`,
    ]);
  });
});
