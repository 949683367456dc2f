import { UnprocessableEntityException } from '@nestjs/common';
import { isUUID } from 'class-validator';

/**
 * Creates the cursor of a list's next page: base64url of the list, its filters, and the last id. It stays valid if that
 * row is deleted.
 *
 * @param list the path of the list and its filters
 */
export function encodeCursor(list: unknown[], lastId: string): string {
  return Buffer.from(JSON.stringify([...list, lastId])).toString('base64url');
}

/**
 * Returns the last id of the previous page, or undefined without a cursor.
 *
 * @throws UnprocessableEntityException if the cursor is not one of this list with these filters
 */
export function decodeCursor(list: unknown[], cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const lastId = parseLastId(cursor);
  if (lastId === undefined || encodeCursor(list, lastId) !== cursor) {
    throw new UnprocessableEntityException({
      detail: [
        {
          type: 'value_error',
          loc: ['query', 'cursor'],
          msg: 'The cursor does not belong to this list and its filters',
          input: cursor,
        },
      ],
    });
  }
  return lastId;
}

/**
 * Formats the header `Link` of a page.
 *
 * @param path the path of the list
 * @param query the parameters of this page
 */
export function formatNextLink(path: string, query: object, nextCursor: string): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query) as [string, string | number | boolean][]) {
    parameters.set(name, String(value));
  }
  parameters.set('cursor', nextCursor);
  return `<${path}?${parameters.toString()}>; rel="next"`;
}

function parseLastId(cursor: string): string | undefined {
  try {
    const list: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const lastId: unknown = Array.isArray(list) ? list.at(-1) : undefined;
    return isUUID(lastId) ? (lastId as string) : undefined;
  } catch {
    return undefined;
  }
}
