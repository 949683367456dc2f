import type { Outcome } from './run-error.js';
import type { ServiceInfo } from './version-gate.js';

export interface ProbeResult {
  name: string;
  /** Each in the form `expected X, got Y`. Empty when the probe passed. */
  failures: string[];
  durationMs: number;
  /** A command that repeats the request. */
  curl?: string;
}

/** The result of a run. Contains no secret. */
export interface Report {
  url: string;
  outcome: Outcome;
  /** Absent when the target does not report its version. */
  info?: ServiceInfo;
  results: ProbeResult[];
  /** Operations that are not known to be safe to call. */
  skipped: string[];
  /** Why the run ended early. */
  error?: string;
  startedAt: string;
  durationMs: number;
}
