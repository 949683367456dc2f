import pg from 'pg';

/** SQLSTATE of a row that another row references, or that references a row that does not exist. */
const FOREIGN_KEY_VIOLATION = '23503';

/** Returns the name of the constraint that a statement has violated, if that is why it failed. */
export function getViolatedConstraint(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.constraint : undefined;
}

/** Returns the table whose rows reference the one that a statement would have deleted, if that is why it failed. */
export function getReferencingTable(error: unknown): string | undefined {
  const isReferenced = error instanceof pg.DatabaseError && error.code === FOREIGN_KEY_VIOLATION;
  return isReferenced ? error.table : undefined;
}
