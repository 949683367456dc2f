export const EXIT_FAILURE = 1;
export const EXIT_INVALID_INPUT = 2;
export const EXIT_CONFLICT = 3;
export const EXIT_UNMERGED = 4;

/** Ends the command with a message and an exit code. */
export class CliError extends Error {
  /**
   * @param {number} exitCode
   * @param {string[]} messages
   */
  constructor(exitCode, ...messages) {
    super(messages.join('\n'));
    this.exitCode = exitCode;
  }
}

/** Refers to the help. */
export class UsageError extends CliError {
  /** @param {string} problem */
  constructor(problem) {
    super(EXIT_INVALID_INPUT, `${problem}. See npm run feature -- --help.`);
  }
}

/** @param {unknown} error */
export function getMessage(error) {
  return error instanceof Error ? error.message : String(error);
}
