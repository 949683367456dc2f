import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCommand, promptForPayload } from './prompts.js';

describe('promptForPayload', () => {
  let root: string;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'petsage-prompts-'));
    mkdirSync(join(root, 'src/features/smoke-test'), { recursive: true });
  });

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  /** Answers the questions, and records them with the answers and the errors. */
  async function answer(storageChoice: number, answers: string[]) {
    const dialog: string[] = [];
    const payload = await promptForPayload(
      root,
      ({ message, validate }) => {
        for (;;) {
          const answer = answers.shift() ?? '';
          const result = validate(answer);
          dialog.push(`${message} ${answer}`);
          if (result === true) return Promise.resolve(answer);
          dialog.push(result.replace(/\. .*/, ''));
        }
      },
      ({ choices }) => Promise.resolve(choices[storageChoice]?.value ?? {}),
    );
    return { payload, dialog };
  }

  it('asks for all parts and repeats a question after an invalid answer', async () => {
    const answers = [
      '2fa',
      'smoke_test',
      'pet_profile',
      ' ',
      'Profiles of pets',
      'An owner lists their pets',
      '',
      'name',
      'name:text',
      'name:string(1..80)',
      'name:int',
      'kind:dog|cat',
      ' ',
    ];
    const { payload, dialog } = await answer(0, answers);
    expect(payload).toEqual({
      feature: 'pet_profile',
      description: 'Profiles of pets',
      requirements: ['An owner lists their pets'],
      fields: { name: 'string(1..80)', kind: 'dog|cat' },
    });
    const field = 'Field, such as name:string or kind:dog|cat (empty to finish):';
    expect(dialog).toEqual([
      'Name, such as pet_profile: 2fa',
      'feature: "2fa" is not a valid name',
      'Name, such as pet_profile: smoke_test',
      'smoke_test: src/features/smoke-test already exists',
      'Name, such as pet_profile: pet_profile',
      'Description, such as Profiles of pets (empty: the name):  ',
      'description: " " is not a text',
      'Description, such as Profiles of pets (empty: the name): Profiles of pets',
      'Requirement (empty to continue): An owner lists their pets',
      'Requirement (empty to continue): ',
      `${field} name`,
      'name: the type is missing',
      `${field} name:text`,
      'fields.name: "text" is not a type',
      `${field} name:string(1..80)`,
      `${field} name:int`,
      'name:int: the name is already used',
      `${field} kind:dog|cat`,
      `${field}  `,
    ]);
  });

  it('asks for the fields of a resource', async () => {
    const answers = [
      'auth',
      'pet_profile',
      '',
      '',
      '',
      'name:string!unique',
      'owner:ref(owner_profile)',
      'name:string(1..80)!unique',
      '',
    ];
    const { payload, dialog } = await answer(2, answers);
    expect(payload).toEqual({
      feature: 'pet_profile',
      requirements: [],
      fields: { name: 'string(1..80)!unique' },
      resource: true,
      owned: true,
    });
    expect(formatCommand(payload, 'linux')).toBe(
      "npm run feature -- pet_profile --field 'name:string(1..80)!unique' --resource --owned",
    );
    const field =
      'Field, such as name:string(1..80)!unique or kind:dog|cat!filter (empty to finish):';
    expect(dialog).toEqual([
      'Name, such as pet_profile: auth',
      'feature: "auth" is a reserved name of resources',
      'Name, such as pet_profile: pet_profile',
      'Description, such as Profiles of pets (empty: the name): ',
      'Requirement (empty to continue): ',
      `${field} `,
      'A resource stores at least one field.',
      `${field} name:string!unique`,
      'fields.name: "string!unique" needs a maximum length to be unique or filtered by',
      `${field} owner:ref(owner_profile)`,
      'pet_profile: the field owner references owner_profile, which is no generated resource in src/features',
      `${field} name:string(1..80)!unique`,
      `${field} `,
    ]);
  });
});

describe('formatCommand', () => {
  it('formats a feature without requirements and fields', () => {
    const payload = { feature: 'pets', description: 'Pets', requirements: [], fields: {} };
    expect(formatCommand(payload)).toBe('npm run feature -- pets --description Pets');
  });

  it('quotes arguments for the shell', () => {
    const payload = {
      feature: 'pet_profile',
      description: "Pets' profiles",
      requirements: ['$HOME'],
      fields: { name: 'string', kind: 'dog|cat' },
    };
    expect(formatCommand(payload, 'linux')).toBe(
      "npm run feature -- pet_profile --description 'Pets'\\'' profiles' --requirement '$HOME' --field name:string --field 'kind:dog|cat'",
    );
    expect(formatCommand(payload, 'win32')).toBe(
      'npm run feature -- pet_profile --description "Pets\' profiles" --requirement "$HOME" --field name:string --field "kind:dog|cat"',
    );
  });
});
