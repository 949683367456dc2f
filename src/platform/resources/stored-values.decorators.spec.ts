import { validateSync } from 'class-validator';
import { IsDateText, IsDateTimeText, IsStorableText } from './stored-values.decorators.js';

function validate(decorator: PropertyDecorator, value: unknown): unknown[] {
  class Body {
    value = value;
  }
  decorator(Body.prototype, 'value');
  return validateSync(new Body()).map(({ constraints }) => constraints);
}

describe('IsDateText', () => {
  it.each(['2026-01-31', '2024-02-29', '1000-01-01', '1899-12-31', '9999-12-31'])(
    'accepts %s',
    (value) => {
      expect(validate(IsDateText(), value)).toEqual([]);
    },
  );

  it.each(['2026-02-29', '2026-13-01', '2026-1-1', '0999-12-31', '2026-01-31T12:00:00Z', '', 5])(
    'rejects %j',
    (value) => {
      expect(validate(IsDateText(), value)).toEqual([
        { isDateText: 'a valid date such as 2026-01-31 is expected' },
      ]);
    },
  );

  it('validates each item of a list', () => {
    expect(validate(IsDateText({ each: true }), ['2026-01-31'])).toEqual([]);
    expect(validate(IsDateText({ each: true }), ['2026-01-31', 'rex'])).toHaveLength(1);
  });
});

describe('IsDateTimeText', () => {
  it.each([
    '2026-01-31T12:00:00Z',
    '2026-01-31T12:00:00.123456Z',
    '1850-01-31T23:59:59+05:30',
    '1000-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z',
  ])('accepts %s', (value) => {
    expect(validate(IsDateTimeText(), value)).toEqual([]);
  });

  it.each([
    '2026-02-30T12:00:00Z',
    '2026-01-31T25:00:00Z',
    '2026-01-31T12:00:00',
    '2026-01-31 12:00:00Z',
    '2026-01-31T12:00Z',
    '2026-01-31T12:00:00+25:00',
    '2026-01-31',
    // In UTC, the year is not one of 1000 to 9999.
    '1000-01-01T00:00:00+05:00',
    '9999-12-31T23:59:59-05:00',
    5,
  ])('rejects %j', (value) => {
    expect(validate(IsDateTimeText(), value)).toEqual([
      { isDateTimeText: 'a valid time such as 2026-01-31T12:00:00Z is expected' },
    ]);
  });
});

describe('IsStorableText', () => {
  it.each(['', 'Rex', '🐕', 'שלום', '\u202e', '\t\n', '\uffff'])('accepts %j', (value) => {
    expect(validate(IsStorableText(), value)).toEqual([]);
  });

  it.each(['a\0b', '\ud83d', 'a\udc15b', 5])('rejects %j', (value) => {
    expect(validate(IsStorableText(), value)).toEqual([
      { isStorableText: 'the string must not contain NUL or an incomplete character' },
    ]);
  });
});
