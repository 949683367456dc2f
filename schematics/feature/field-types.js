/**
 * The types that a field can have.
 *
 * @typedef {object} FieldType
 * @property {string} type the type of the DTO's property
 * @property {string} rule class-validator's decorator
 * @property {string} [options] what the decorator is called with, in front of `{ each: true }`
 * @property {Record<string, unknown>} api what `@ApiProperty` says of it
 * @property {unknown} example a value that is right
 * @property {unknown} wrong one that is not
 * @property {(name: string) => { type: string, msg: string, ctx?: object }} error what is said of that
 */

const text = { type: 'string', api: {} };

/** What class-validator says of a rule that has no counterpart in pydantic. */
const valueError = (/** @type {string} */ words) => (/** @type {string} */ name) => ({
  type: 'value_error',
  msg: `${name} ${words}`,
});

const wording = (/** @type {string} */ type, /** @type {string} */ what) => () => ({
  type,
  msg: `Input should be a valid ${what}`,
});

/** @type {Record<string, FieldType>} */
export const FIELD_TYPES = {
  string: {
    ...text,
    rule: 'IsString',
    example: 'text',
    wrong: 5,
    error: wording('string_type', 'string'),
  },
  int: {
    type: 'number',
    rule: 'IsInt',
    api: { type: 'integer' },
    example: 3,
    wrong: 'three',
    error: wording('int_type', 'integer'),
  },
  number: {
    type: 'number',
    rule: 'IsNumber',
    api: {},
    example: 1.5,
    wrong: 'much',
    error: wording('float_type', 'number'),
  },
  boolean: {
    type: 'boolean',
    rule: 'IsBoolean',
    api: {},
    example: true,
    wrong: 'yes',
    error: wording('bool_type', 'boolean'),
  },
  'date-time': {
    ...text,
    rule: 'IsRFC3339',
    api: { format: 'date-time' },
    example: '2026-01-31T12:00:00.000Z',
    wrong: 'yesterday',
    error: valueError('must be RFC 3339 date'),
  },
  email: {
    ...text,
    rule: 'IsEmail',
    api: { format: 'email' },
    example: 'rex@example.com',
    wrong: 'rex',
    error: valueError('must be an email'),
  },
  uuid: {
    ...text,
    rule: 'IsUUID',
    options: "'all'",
    api: { format: 'uuid' },
    example: '0b8f2ad6-3c0b-4d0e-9f62-5d1f3a1f7c11',
    wrong: 'rex',
    error: valueError('must be a UUID'),
  },
  url: {
    ...text,
    rule: 'IsUrl',
    options: "{ protocols: ['http', 'https'], require_protocol: true, require_tld: false }",
    api: { format: 'uri' },
    example: 'https://example.com/rex',
    wrong: 'rex',
    error: valueError('must be a URL address'),
  },
};
