import { Secrets } from './secrets.js';

describe('Secrets', () => {
  it.each<[what: string, name: string, value: string, text: string]>([
    ['a value', 'X-Api-Key', 'hunter2', 'your key hunter2 is wrong'],
    ['credentials without their scheme', 'Authorization', 'Bearer abc.def', '{"token":"abc.def"}'],
    ['a name and a password', 'Authorization', 'Basic Y2F0Omh1bnRlcjI=', 'hello cat:hunter2'],
    ['a password alone', 'Authorization', 'Basic Y2F0Omh1bnRlcjI=', 'hunter2'],
    ['a cookie alone', 'Cookie', 'a=1; session=hunter2', 'unknown session hunter2'],
    ['what JSON escapes', 'X-Api-Key', 'a"quoted\\word', JSON.stringify('a"quoted\\word')],
    ['what JSON may escape', 'X-Api-Key', 'abc/d=', '{"key":"abc\\/d\\u003d"}'],
    ['what is quoted', 'Signature', 'keyId="k",value="hunter2"', 'bad signature hunter2'],
    [
      'what JSON in JSON escapes',
      'X-Api-Key',
      'a"quoted',
      JSON.stringify(JSON.stringify('a"quoted')),
    ],
    ['what HTML escapes', 'X-Api-Key', 'abc&"d', '<b>abc&amp;&quot;d</b>'],
    ['what a URL escapes a little', 'X-Api-Key', 'abc/d=', 'https://a.example/login?key=abc/d%3d'],
    ['what a URL escapes', 'X-Api-Key', 'abc/d=', 'https://a.example/login?key=abc%2Fd%3D'],
  ])('prints no secret: %s', (_, name, value, text) => {
    const clean = new Secrets([[name, value]]).clean(text);
    expect(clean).toContain('***');
    expect(clean).not.toMatch(/hunter2|abc|quoted/);
  });

  it('hides the whole of a secret that begins with another one', () => {
    const secrets = new Secrets([
      ['A', 'abcd'],
      ['B', 'abcdefgh'],
    ]);
    expect(secrets.clean('abcdefgh abcd')).toBe('*** ***');
  });

  it('hides a secret before it cuts a text that is too long', () => {
    const text = `${'.'.repeat(496)}hunter2-hunter2`;
    const clean = new Secrets([['A', 'hunter2-hunter2']]).clean(text);
    expect(clean).toBe(`${'.'.repeat(496)}***`);
    expect(new Secrets([]).clean(`${text}\n`)).toBe(`${'.'.repeat(496)}hunt…`);
  });

  it('leaves nothing that a terminal or a pipeline would obey', () => {
    const text = '1.0.0\n::set-output name=a::b\r\n\x1b]0;title\x07\x1b[2J\x9b1m';
    expect(new Secrets([]).clean(text)).toBe('1.0.0 ::set-output name=a::b ]0;title [2J 1m');
  });

  it('leaves values alone that are too short to be a secret', () => {
    expect(new Secrets([['X-Env', 'a']]).clean('a cat')).toBe('a cat');
  });

  it('shows a text as it came where it has no secret', () => {
    const text = JSON.stringify({ detail: 'a "quoted" word, 100%25' });
    expect(new Secrets([['X-Key', 'hunter2']]).clean(text)).toBe(text);
  });

  it('looks in a log for what can be a secret alone', () => {
    const secrets = new Secrets([
      ['Host', 'petsage-api'],
      ['X-Forwarded-Proto', 'https'],
      ['X-Key', 'hunter2-hunter2'],
    ]);
    expect(secrets.isIn('{"service":"petsage-api","url":"https://a.example"}')).toBe(false);
    expect(secrets.isIn('{"key":"hunter2-hunter2"}')).toBe(true);
  });
});
