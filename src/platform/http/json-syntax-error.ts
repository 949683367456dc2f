const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const LITERAL = /true|false|null/y;
const HEX4 = /[0-9a-fA-F]{4}/y;

/** Thrown by the readers below at the first syntax error. */
class JsonSyntaxError extends Error {
  constructor(
    reason: string,
    readonly index: number,
  ) {
    super(reason);
  }
}

/**
 * Finds the first syntax error in a string that `JSON.parse` has rejected. Returns the reason and position
 * that Python's `json` module reports, because FastAPI returns both to clients. The position counts
 * Unicode code points from 0.
 *
 * @param depth maximum nesting
 * @throws RangeError if objects and arrays are nested deeper than `depth`
 */
export function findJsonSyntaxError(
  text: string,
  depth: number,
): { reason: string; position: number } {
  try {
    const end = skipWhitespace(text, readValue(text, skipWhitespace(text, 0), depth));
    throw new JsonSyntaxError('Extra data', end);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return { reason: error.message, position: Array.from(text.slice(0, error.index)).length };
  }
}

/** Returns the index after the match of `pattern` at `index`, or undefined if it does not match. */
function match(pattern: RegExp, text: string, index: number): number | undefined {
  pattern.lastIndex = index;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function skipWhitespace(text: string, index: number): number {
  return match(WHITESPACE, text, index) ?? index;
}

/** Like the other readers: starts at a token's first character and returns the index after the token. */
function readValue(text: string, index: number, depth: number): number {
  if (depth < 0) throw new RangeError('Nested too deeply');
  switch (text[index]) {
    case '"':
      return readString(text, index);
    case '{':
      return readObject(text, index, depth - 1);
    case '[':
      return readArray(text, index, depth - 1);
  }
  const end = match(LITERAL, text, index) ?? match(NUMBER, text, index);
  if (end === undefined) throw new JsonSyntaxError('Expecting value', index);
  return end;
}

function readObject(text: string, start: number, depth: number): number {
  let index = skipWhitespace(text, start + 1);
  if (text[index] === '}') return index + 1;
  for (;;) {
    if (text[index] !== '"') {
      throw new JsonSyntaxError('Expecting property name enclosed in double quotes', index);
    }
    index = skipWhitespace(text, readString(text, index));
    if (text[index] !== ':') throw new JsonSyntaxError("Expecting ':' delimiter", index);
    index = skipWhitespace(text, readValue(text, skipWhitespace(text, index + 1), depth));
    if (text[index] === '}') return index + 1;
    if (text[index] !== ',') throw new JsonSyntaxError("Expecting ',' delimiter", index);
    index = skipWhitespace(text, index + 1);
  }
}

function readArray(text: string, start: number, depth: number): number {
  let index = skipWhitespace(text, start + 1);
  if (text[index] === ']') return index + 1;
  for (;;) {
    index = skipWhitespace(text, readValue(text, index, depth));
    if (text[index] === ']') return index + 1;
    if (text[index] !== ',') throw new JsonSyntaxError("Expecting ',' delimiter", index);
    index = skipWhitespace(text, index + 1);
  }
}

function readString(text: string, start: number): number {
  let index = start + 1;
  for (;;) {
    const char = text[index];
    if (char === '"') return index + 1;
    if (char === undefined) throw new JsonSyntaxError('Unterminated string starting at', start);
    if (char < ' ') throw new JsonSyntaxError('Invalid control character at', index);
    index = char === '\\' ? readEscape(text, index, start) : index + 1;
  }
}

function readEscape(text: string, index: number, stringStart: number): number {
  const char = text[index + 1];
  if (char === undefined) throw new JsonSyntaxError('Unterminated string starting at', stringStart);
  if (char !== 'u') {
    if (!'"\\/bfnrt'.includes(char)) throw new JsonSyntaxError('Invalid \\escape', index);
    return index + 2;
  }
  const end = match(HEX4, text, index + 2);
  // Python requires a character after the four digits, at least the closing quote.
  if (end === undefined || end >= text.length) {
    throw new JsonSyntaxError('Invalid \\uXXXX escape', index + 1);
  }
  return end;
}
