/** One session of a database. */
export interface Connection {
  /** @param parameters may be absent: then the text may contain several statements */
  query(text: string, parameters?: unknown[]): Promise<QueryResult>;
  /** @param destroy whether the connection must not be used again */
  release(destroy?: boolean): void;
}

export interface QueryResult {
  rows: unknown[];
  /** Of `COMMIT`, it is `ROLLBACK` if a statement of the transaction has failed. */
  command?: string;
  /** Number of rows that were returned or changed. */
  rowCount?: number | null;
}

/** The connections to a database: those of `pg`, or that of the embedded database. */
export interface ConnectionPool {
  /** Number of connections by state, and of callers that wait for one. */
  readonly counts: Record<'active' | 'idle' | 'waiting', number>;
  /** Waits for a free connection. */
  connect(): Promise<Connection>;
  /** Closes all connections. */
  end(): Promise<void>;
}
