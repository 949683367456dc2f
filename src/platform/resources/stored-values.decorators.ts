import { isISO8601, isString, ValidateBy, type ValidationOptions } from 'class-validator';

const LONE_SURROGATE = /\p{Surrogate}/u;

const DATE = /^[1-9]\d{3}-\d{2}-\d{2}$/;
const DATE_TIME = /^[1-9]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** Validates a date of the calendar such as `2026-01-31`, from the year 1000 to 9999. */
export function IsDateText(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isDateText',
      validator: {
        validate: isDateText,
        defaultMessage: () => 'a valid date such as 2026-01-31 is expected',
      },
    },
    options,
  );
}

/** Validates a time with its offset from UTC, such as `2026-01-31T12:00:00Z`, from the year 1000 to 9999. */
export function IsDateTimeText(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isDateTimeText',
      validator: {
        validate: isDateTimeText,
        defaultMessage: () => 'a valid time such as 2026-01-31T12:00:00Z is expected',
      },
    },
    options,
  );
}

/** Validates a string that PostgreSQL can store: without NUL and without half of a surrogate pair. */
export function IsStorableText(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isStorableText',
      validator: {
        validate: isStorableText,
        defaultMessage: () => 'the string must not contain NUL or an incomplete character',
      },
    },
    options,
  );
}

/** Returns whether {@link IsDateText} accepts a value. */
export function isDateText(value: unknown): boolean {
  return isString(value) && DATE.test(value) && isISO8601(value, { strict: true });
}

/** Returns whether {@link IsDateTimeText} accepts a value. */
export function isDateTimeText(value: unknown): boolean {
  if (!isString(value) || !DATE_TIME.test(value) || !isISO8601(value, { strict: true }))
    return false;
  const year = new Date(value).getUTCFullYear();
  return year >= 1000 && year <= 9999;
}

/** Returns whether {@link IsStorableText} accepts a value. */
export function isStorableText(value: unknown): boolean {
  return isString(value) && !value.includes('\0') && !LONE_SURROGATE.test(value);
}
