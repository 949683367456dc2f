import { formatEntityTag, parseIfMatch } from './entity-tag.js';

describe('formatEntityTag', () => {
  it('quotes the version', () => {
    expect(formatEntityTag(12)).toBe('"12"');
  });
});

describe('parseIfMatch', () => {
  it.each([undefined, '*', ' * '])('accepts any version for %j', (header) => {
    expect(parseIfMatch(header)).toBeUndefined();
  });

  it.each([
    ['"1"', [1]],
    ['"1", "23"', [1, 23]],
    [' "1" ,"2"', [1, 2]],
    ['"2147483647"', [2147483647]],
    // No resource has the version 0.
    ['"2147483648"', [0]],
    ['"99999999999"', [0]],
    ['"0"', [0]],
    ['"-1"', [0]],
    ['"1.5"', [0]],
    ['"01"', [0]],
    ['W/"1"', [0]],
    ['1', [0]],
    ['"rex"', [0]],
    ['"1", *', [1, 0]],
    ['', [0]],
  ])('parses %j', (header, versions) => {
    expect(parseIfMatch(header)).toEqual(versions);
  });
});
