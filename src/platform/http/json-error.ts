const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const LITERAL = /true|false|null/y;
const HEX4 = /[0-9a-fA-F]{4}/y;

/** Thrown inside {@link locateJsonError} where the text stops being JSON. */
class JsonError extends Error {
  constructor(
    reason: string,
    readonly index: number,
  ) {
    super(reason);
  }
}

/**
 * Finds where and why a text is not JSON, in the words and at the position that Python's `json`
 * module reports, because FastAPI hands both to its clients. `JSON.parse` itself names neither in a
 * stable form. Position counts Unicode code points from 0.
 *
 * Only for texts that `JSON.parse` has refused: this is the slow path.
 *
 * @throws RangeError when objects and arrays are nested deeper than `depth`
 */
export function locateJsonError(text: string, depth: number): { reason: string; position: number } {
  try {
    const end = skipWhitespace(text, readValue(text, skipWhitespace(text, 0), depth));
    throw new JsonError('Extra data', end);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return { reason: error.message, position: Array.from(text.slice(0, error.index)).length };
  }
}

/** The index after what `pattern` matches at `index`, or undefined where it does not match. */
function endOf(pattern: RegExp, text: string, index: number): number | undefined {
  pattern.lastIndex = index;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function skipWhitespace(text: string, index: number): number {
  return endOf(WHITESPACE, text, index) ?? index;
}

/** Each reader starts at a token's first character and returns the index after the token. */
function readValue(text: string, index: number, depth: number): number {
  if (depth < 0) throw new RangeError('nested too deep');
  switch (text[index]) {
    case '"':
      return readString(text, index);
    case '{':
      return readObject(text, index, depth - 1);
    case '[':
      return readArray(text, index, depth - 1);
  }
  const end = endOf(LITERAL, text, index) ?? endOf(NUMBER, text, index);
  if (end === undefined) throw new JsonError('Expecting value', index);
  return end;
}

function readObject(text: string, start: number, depth: number): number {
  let index = skipWhitespace(text, start + 1);
  if (text[index] === '}') return index + 1;
  for (;;) {
    if (text[index] !== '"') {
      throw new JsonError('Expecting property name enclosed in double quotes', index);
    }
    index = skipWhitespace(text, readString(text, index));
    if (text[index] !== ':') throw new JsonError("Expecting ':' delimiter", index);
    index = skipWhitespace(text, readValue(text, skipWhitespace(text, index + 1), depth));
    if (text[index] === '}') return index + 1;
    if (text[index] !== ',') throw new JsonError("Expecting ',' delimiter", index);
    index = skipWhitespace(text, index + 1);
  }
}

function readArray(text: string, start: number, depth: number): number {
  let index = skipWhitespace(text, start + 1);
  if (text[index] === ']') return index + 1;
  for (;;) {
    index = skipWhitespace(text, readValue(text, index, depth));
    if (text[index] === ']') return index + 1;
    if (text[index] !== ',') throw new JsonError("Expecting ',' delimiter", index);
    index = skipWhitespace(text, index + 1);
  }
}

function readString(text: string, start: number): number {
  let index = start + 1;
  for (;;) {
    const char = text[index];
    if (char === '"') return index + 1;
    if (char === undefined) throw new JsonError('Unterminated string starting at', start);
    if (char < ' ') throw new JsonError('Invalid control character at', index);
    index = char === '\\' ? readEscape(text, index, start) : index + 1;
  }
}

function readEscape(text: string, index: number, stringStart: number): number {
  const char = text[index + 1];
  if (char === undefined) throw new JsonError('Unterminated string starting at', stringStart);
  if (char !== 'u') {
    if (!'"\\/bfnrt'.includes(char)) throw new JsonError('Invalid \\escape', index);
    return index + 2;
  }
  const end = endOf(HEX4, text, index + 2);
  // Python wants to see a character behind the four digits, at least the closing quote.
  if (end === undefined || end >= text.length) {
    throw new JsonError('Invalid \\uXXXX escape', index + 1);
  }
  return end;
}
