/** How a run can end, with the exit code of the process. */
export const EXIT_CODES = { passed: 0, failed: 1, usageError: 2, unreachable: 3, wrongVersion: 4 };

export type Outcome = keyof typeof EXIT_CODES;

/** Ends a run early. */
export class RunError extends Error {
  constructor(
    readonly outcome: Outcome,
    message: string,
  ) {
    super(message);
  }
}

/** A response is missing or cannot be used. Fails a single probe; elsewhere, ends the run. */
export class ResponseError extends RunError {
  constructor(message: string) {
    super('unreachable', message);
  }
}
