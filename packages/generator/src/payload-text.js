const CODE_BLOCK = /^ {0,3}(`{3,}|~{3,})[^\n]*\n(.*?)\n {0,3}\1/gms;
const LIST_ITEM = /^(\s*)(?:[-*+]|\d+[.)])\s+(.*)$/;
const KEY_AND_VALUE = /^[*_`]*([A-Za-z][\w-]*)[*_`]*\s*:\**\s*(.*)$/;

/**
 * Reads a payload from JSON, or from Markdown with a JSON code block or a list such as
 *
 *     - feature: pet_profile
 *     - description: Profiles of pets
 *     - requirements:
 *       - An owner lists their pets
 *     - fields:
 *       - name: string
 *
 * @param {string} text
 * @returns {unknown} undefined if the text has no payload
 * @throws {SyntaxError} if the JSON is not valid
 */
export function parsePayloadText(text) {
  // trim() also removes a byte order mark.
  const source = text.replaceAll('\r\n', '\n').trim();
  if (source.startsWith('{')) return JSON.parse(source);
  const blocks = [...source.matchAll(CODE_BLOCK)].map(([, , content = '']) => content.trim());
  const json = blocks.find((content) => content.startsWith('{'));
  return json === undefined ? parseList(source) : JSON.parse(json);
}

/**
 * Reads the first list whose items have keys.
 *
 * @param {string} source
 */
function parseList(source) {
  /** @type {{ key: string, value: string, indent: number, children: string[] }[]} */
  const items = [];
  for (const line of source.split('\n')) {
    const [, indentation = '', content] = LIST_ITEM.exec(line) ?? [];
    const item = items.at(-1);
    if (content !== undefined && item !== undefined && indentation.length > item.indent) {
      item.children.push(content);
    } else if (content !== undefined) {
      const [, key, value = ''] = KEY_AND_VALUE.exec(content) ?? [];
      if (key) items.push({ key, value, indent: indentation.length, children: [] });
    } else if (item !== undefined && /^\s+\S/.test(line)) {
      appendLine(item, line.trim());
    } else if (item !== undefined && line.trim() !== '') {
      break;
    }
  }
  if (items.length === 0) return undefined;
  return Object.fromEntries(items.map((item) => [item.key.toLowerCase(), getValue(item)]));
}

/**
 * Appends a line to the item or the child that it continues.
 *
 * @param {{ value: string, children: string[] }} item
 * @param {string} line
 */
function appendLine(item, line) {
  const child = item.children.pop();
  if (child === undefined) item.value += ` ${line}`;
  else item.children.push(`${child} ${line}`);
}

/** @param {{ key: string, value: string, children: string[] }} item */
function getValue({ key, value, children }) {
  if (children.length === 0) {
    const text = removeCodeSpan(value);
    return ['true', 'false'].includes(text) ? text === 'true' : text;
  }
  if (key.toLowerCase() !== 'fields') return children;
  return Object.fromEntries(
    children.map((child) => {
      const [, name = child, type = ''] = KEY_AND_VALUE.exec(child) ?? [];
      return [name, removeCodeSpan(type)];
    }),
  );
}

/** @param {string} text */
function removeCodeSpan(text) {
  return text.trim().replace(/^`(.*)`$/, '$1');
}
