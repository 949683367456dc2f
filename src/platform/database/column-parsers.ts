import pg from 'pg';

/**
 * Parsers of column values that the drivers of both databases use, by type: `date` is a text `YYYY-MM-DD`, because
 * a `Date` would depend on the time zone, and `bigint` is a number.
 */
export const COLUMN_PARSERS: Record<number, (text: string) => unknown> = {
  [pg.types.builtins.DATE]: (text: string) => text,
  [pg.types.builtins.INT8]: parseSafeInteger,
  [pg.types.builtins.NUMERIC]: (text: string) => text,
};

/** @throws RangeError if a number cannot represent the value */
function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${text} is not a safe integer. Select the column as text.`);
  }
  return value;
}
