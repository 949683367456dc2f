import { parsePayloadText } from './payload-text.js';

const PAYLOAD = { feature: 'smoke_test', description: 'Verifies logs', requirements: 'none' };
const JSON_TEXT = JSON.stringify(PAYLOAD);

describe('parsePayloadText', () => {
  it.each([
    ['JSON', JSON_TEXT],
    ['JSON with a byte order mark', `\ufeff${JSON_TEXT}\n`],
    ['indented JSON with CRLF', JSON.stringify(PAYLOAD, null, 2).replaceAll('\n', '\r\n')],
    [
      'a code block',
      `# Smoke test\n\nThe payload:\n\n\`\`\`json\n${JSON_TEXT}\n\`\`\`\n\nThe end.\n`,
    ],
    ['a code block after another one', `~~~sh\nnpm test\n~~~\n\n~~~\n${JSON_TEXT}\n~~~\n`],
    [
      'a list',
      '# Smoke test\n\n- feature: smoke_test\n- description: Verifies logs\n- requirements: none\n\nThe end.\n- feature: other\n',
    ],
    [
      'a list with emphasis and code spans',
      '* **Feature:** `smoke_test`\n* **Description**: Verifies\n  logs\n\n* `requirements`: none',
    ],
  ])('reads %s', (_, text) => {
    expect(parsePayloadText(text)).toEqual(PAYLOAD);
  });

  it('reads true and false in a list', () => {
    const text = '- feature: pet\n- resource: `true`\n- owned: false\n';
    expect(parsePayloadText(text)).toEqual({ feature: 'pet', resource: true, owned: false });
  });

  it('reads nested lists', () => {
    const text = `
- Read this first
- feature: pet_profile
- description: Profiles: of pets
- requirements:
  1. An owner lists
     their pets
  2. A vet reads a profile
- fields:
    - name: string(1..80)
    - \`birth_date\`: \`date?\`
`;
    expect(parsePayloadText(text)).toEqual({
      feature: 'pet_profile',
      description: 'Profiles: of pets',
      requirements: ['An owner lists their pets', 'A vet reads a profile'],
      fields: { name: 'string(1..80)', birth_date: 'date?' },
    });
  });

  it.each(['', 'Profiles of pets', '- Profiles of pets', '```sh\nnpm test\n```'])(
    'returns undefined for %j',
    (text) => {
      expect(parsePayloadText(text)).toBeUndefined();
    },
  );

  it.each(['{"feature"', '```json\n{"feature"\n```'])('throws for the invalid JSON %j', (text) => {
    expect(() => parsePayloadText(text)).toThrow(SyntaxError);
  });
});
