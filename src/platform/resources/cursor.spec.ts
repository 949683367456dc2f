import { UnprocessableEntityException } from '@nestjs/common';
import { decodeCursor, encodeCursor, formatNextLink } from './cursor.js';

const ID = '018f3a9c-5b0e-7cc3-98c4-dc0c0c07398f';
const LIST = ['/api/v1/pets', 'dog', undefined];

describe('decodeCursor', () => {
  it('returns the last id of the previous page', () => {
    expect(decodeCursor(LIST, encodeCursor(LIST, ID))).toBe(ID);
    expect(encodeCursor(LIST, ID)).toMatch(/^[\w-]+$/);
  });

  it('returns undefined without a cursor', () => {
    expect(decodeCursor(LIST, undefined)).toBeUndefined();
  });

  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  it.each([
    ['another path', encodeCursor(['/api/v1/toys', 'dog', undefined], ID)],
    ['another filter', encodeCursor(['/api/v1/pets', 'cat', undefined], ID)],
    ['one more filter', encodeCursor([...LIST, 'x'], ID)],
    ['no filter', encodeCursor(['/api/v1/pets'], ID)],
    ['no id', encode(['/api/v1/pets', 'dog', null])],
    ['an id that is none', encodeCursor(LIST, 'rex')],
    ['an id in a list', encode(['/api/v1/pets', 'dog', null, [ID]])],
    ['an object', encode({ id: ID })],
    ['an empty string', ''],
    ['a string that is not base64url', '%%%'],
    ['padding', `${encodeCursor(LIST, ID)}=`],
    ['more bytes', `${encodeCursor(LIST, ID)}AAAA`],
  ])('rejects a cursor with %s', (_, cursor) => {
    let error: unknown;
    try {
      decodeCursor(LIST, cursor);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(UnprocessableEntityException);
    expect((error as UnprocessableEntityException).getResponse()).toEqual({
      detail: [
        {
          type: 'value_error',
          loc: ['query', 'cursor'],
          msg: 'The cursor does not belong to this list and its filters',
          input: cursor,
        },
      ],
    });
  });
});

describe('formatNextLink', () => {
  it('keeps the parameters, and replaces the cursor', () => {
    const query = { limit: 20, cursor: 'old', kind: 'big cat & >', isFed: true };
    expect(formatNextLink('/api/v1/pets', query, 'new')).toBe(
      '</api/v1/pets?limit=20&cursor=new&kind=big+cat+%26+%3E&isFed=true>; rel="next"',
    );
  });
});
