import fc from 'fast-check';
import { findJsonSyntaxError } from './json-syntax-error.js';

describe('findJsonSyntaxError', () => {
  // The results of json.loads() in Python 3.11.
  it.each([
    ['', 'Expecting value', 0],
    ['{', 'Expecting property name enclosed in double quotes', 1],
    ['{"a"', "Expecting ':' delimiter", 4],
    ['{"a":1 "b"', "Expecting ',' delimiter", 7],
    ['[1,\n ]', 'Expecting value', 5],
    ['[true false]', "Expecting ',' delimiter", 6],
    ['"a', 'Unterminated string starting at', 0],
    ['["a\\', 'Unterminated string starting at', 1],
    ['"a\tb"', 'Invalid control character at', 2],
    ['"\\x"', 'Invalid \\escape', 1],
    ['"\\u12x4"', 'Invalid \\uXXXX escape', 2],
    ['"\\u1234', 'Invalid \\uXXXX escape', 2],
    ['1.', 'Extra data', 1],
    ['{"a":[-1.5e+3,0,null]} {}', 'Extra data', 23],
    ['-', 'Expecting value', 0],
    ['["😀" x', "Expecting ',' delimiter", 5],
  ])('locates the error in %j: %s at %i', (text, reason, position) => {
    expect(findJsonSyntaxError(text, 10)).toEqual({ reason, position });
  });

  it('returns a position inside the text for any invalid JSON', () => {
    const json = fc.json().map((text) => Array.from(text));
    fc.assert(
      fc.property(json, fc.nat(), fc.string({ maxLength: 2 }), (chars, at, noise) => {
        const text = chars.toSpliced(at % chars.length, 1, noise).join('');
        fc.pre(!isJson(text));
        const { position } = findJsonSyntaxError(text, 100);
        expect(position).toBeLessThanOrEqual(Array.from(text).length);
      }),
      { numRuns: 1000 },
    );
  });

  it('reads valid JSON up to its end', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const position = Array.from(text).length;
        expect(findJsonSyntaxError(text, 100)).toEqual({ reason: 'Extra data', position });
      }),
    );
  });

  it('throws RangeError when the text is nested deeper than the limit', () => {
    expect(findJsonSyntaxError('[[1,', 2)).toEqual({ reason: 'Expecting value', position: 4 });
    expect(() => findJsonSyntaxError('[[[', 2)).toThrow(RangeError);
    expect(() => findJsonSyntaxError('['.repeat(100_000), 950)).toThrow(RangeError);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
