import pg from 'pg';

const { DATE, INT8 } = pg.types.builtins;

/** Types of arrays, which `pg` does not name. */
const DATE_ARRAY = 1182;
const INT8_ARRAY = 1016;
const TEXT_ARRAY = 1009;

// The default is the local time in whole minutes, while the zones of dates before about 1900 have seconds.
pg.defaults.parseInputDatesAsUTC = true;

/**
 * How columns are read: `date` is a string `YYYY-MM-DD`, because a `Date` would depend on the time zone, and `bigint` is
 * a number.
 */
export const columnTypes = new pg.TypeOverrides();

const parseTextArray = columnTypes.getTypeParser(TEXT_ARRAY) as unknown as (
  text: string,
) => (string | null)[];

setParsers(DATE, DATE_ARRAY, (text) => text);
setParsers(INT8, INT8_ARRAY, parseSafeInteger);

/** Sets the parsers of a type and of its arrays. */
function setParsers(type: number, arrayType: number, parse: (text: string) => unknown): void {
  columnTypes.setTypeParser(type, parse);
  columnTypes.setTypeParser(arrayType, (text: string) =>
    parseTextArray(text).map((item) => (item === null ? null : parse(item))),
  );
}

/** @throws RangeError if a number cannot represent the value */
function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${text} is not a safe integer. Select the column as text.`);
  }
  return value;
}
