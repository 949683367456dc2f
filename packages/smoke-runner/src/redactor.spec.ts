import { Redactor } from './redactor.js';

describe('Redactor', () => {
  describe('redact', () => {
    it.each<[what: string, name: string, value: string, text: string]>([
      ['a value', 'X-Api-Key', 'hunter2', 'your key hunter2 is wrong'],
      [
        'credentials without their scheme',
        'Authorization',
        'Bearer hunter2',
        '{"token":"hunter2"}',
      ],
      [
        'a user name and a password',
        'Authorization',
        'Basic Y2F0Omh1bnRlcjI=',
        'hello cat:hunter2',
      ],
      ['a password', 'Authorization', 'Basic Y2F0Omh1bnRlcjI=', 'hunter2'],
      ['credentials with a space', 'Authorization', 'Digest a, hunter2', 'invalid: a, hunter2'],
      ['a cookie', 'Cookie', 'a=1; session=hunter2', 'unknown session hunter2'],
      ['a value in JSON', 'X-Api-Key', '"hunter2" \\', JSON.stringify({ key: '"hunter2" \\' })],
      ['a value in a URL', 'X-Api-Key', 'hunter2/d=', '/login?key=hunter2%2Fd%3D'],
    ])('removes %s', (_, name, value, text) => {
      const redacted = new Redactor([[name, value]]).redact(text);
      expect(redacted).toContain('***');
      expect(redacted).not.toContain('hunter2');
    });

    it('removes secrets from every string of an object', () => {
      const redactor = new Redactor([['X-Api-Key', 'hunter2']]);
      const result = { name: 'GET /hunter2', failures: ['got hunter2'], durationMs: 1.5 };
      expect(redactor.redact(result)).toEqual({
        name: 'GET /***',
        failures: ['got ***'],
        durationMs: 1.5,
      });
    });

    it('removes the whole of a secret that contains another', () => {
      const redactor = new Redactor([
        ['X-A', 'abcd'],
        ['X-B', 'abcdefgh'],
      ]);
      expect(redactor.redact('abcdefgh abcd')).toBe('*** ***');
    });

    it('removes a secret before it truncates a long text', () => {
      const text = `${'.'.repeat(1998)}hunter2`;
      expect(new Redactor([]).redact(text)).toBe(`${'.'.repeat(1998)}hu…`);
      expect(new Redactor([['X-A', 'hunter2']]).redact(text)).toBe(`${'.'.repeat(1998)}**…`);
    });

    it('removes line breaks and control characters', () => {
      const text = '1.0.0\n::set-output name=a::b\r\n\x1b]0;title\x07\x1b[2J\x9b1m';
      expect(new Redactor([]).redact(text)).toBe('1.0.0 ::set-output name=a::b ]0;title [2J 1m');
    });

    it.each([
      ['X-Env', 'dev'],
      ['Host', 'example.com'],
      ['Accept', 'application/json'],
      ['Cache-Control', 'no-cache'],
      ['X-Forwarded-Proto', 'https'],
    ])('keeps the value of %s: %s', (name, value) => {
      expect(new Redactor([[name, value]]).redact(`got ${value}`)).toBe(`got ${value}`);
    });
  });

  describe('containsSecret', () => {
    it.each([
      ['X-Key', 'hunter2-hunter2', true],
      ['X-Status', 'success', false],
      ['Host', 'petsage-api', false],
    ])('in a log that contains the value of %s: %s', (name, value, expected) => {
      expect(new Redactor([[name, value]]).containsSecret(`{"key":"${value}"}`)).toBe(expected);
    });
  });
});
