import pg from 'pg';
import { getReferencingTable, getViolatedConstraint } from './violated-constraint.js';

function createError(fields: Partial<pg.DatabaseError>): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('The statement failed.', 0, 'error'), fields);
}

describe('getViolatedConstraint', () => {
  it('returns the name of the constraint', () => {
    const error = createError({ code: '23505', constraint: 'pets_name_key' });
    expect(getViolatedConstraint(error)).toBe('pets_name_key');
  });

  it.each([createError({ code: '57014' }), new Error('Other.'), undefined])(
    'returns undefined for another error',
    (error) => {
      expect(getViolatedConstraint(error)).toBeUndefined();
    },
  );
});

describe('getReferencingTable', () => {
  it('returns the table whose rows reference the deleted one', () => {
    const error = createError({ code: '23503', table: 'vet_visits' });
    expect(getReferencingTable(error)).toBe('vet_visits');
  });

  it.each([createError({ code: '23505', table: 'pets' }), new Error('Other.'), undefined])(
    'returns undefined for another error',
    (error) => {
      expect(getReferencingTable(error)).toBeUndefined();
    },
  );
});
