import { readFileSync } from 'node:fs';
import { createMissingError, getRuleError, RULE_ORDER } from './error-detail.js';

const DOCUMENT = 'docs/decisions/fastapi-error-format.md';

/** A row of the first table of the document, without the back quotes. */
type Row = [decorator: string, type: string, msg: string];

const [, , ...rows] = readFileSync(DOCUMENT, 'utf8')
  .split(/\n\n+/)
  .filter((block) => block.startsWith('| decorator'))
  .slice(0, 1)
  .flatMap((table) => table.trim().split('\n'))
  .map(
    (line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')) as Row,
  );

/** The rules whose names differ from their decorators' names. */
const RULES = new Map([
  ['IsUUID', 'isUuid'],
  ['ValidateNested', 'nestedValidation'],
]);

const CHOICES = ['a', 'b', 'c'];
const RULE_ARGUMENTS = new Map<string, unknown[]>([
  ['isEnum', [undefined, CHOICES]],
  ['isIn', [CHOICES]],
  ['matches', ['…']],
]);

function getRuleName(decorator: string): string {
  const name = decorator.replace(/^@(\w+)\(.*\)$/, '$1');
  return RULES.get(name) ?? name.charAt(0).toLowerCase() + name.slice(1);
}

describe(DOCUMENT, () => {
  it('has a row for each rule, in the order in which they are reported', () => {
    expect(rows.slice(1, -1).map(([decorator]) => getRuleName(decorator))).toEqual(RULE_ORDER);
  });

  it.each(rows.slice(1, -1))('has the error of %s', (decorator, type, msg) => {
    const name = getRuleName(decorator);
    const args = RULE_ARGUMENTS.get(name) ?? ['n'];
    expect(getRuleError(name, args, () => '')).toMatchObject({ type, msg });
  });

  it('has the errors of an absent field and of other rules', () => {
    const { type, msg } = createMissingError([], {});
    const message = 'the message of class-validator';
    const other = getRuleError('isEmail', [], () => message);
    expect([rows[0], rows.at(-1)]).toEqual([
      ['absent field', type, msg],
      ['any other', other.type, other.msg],
    ]);
  });
});
