import type { Outcome } from './run-error.js';
import type { ServiceInfo } from './version-gate.js';

export interface ProbeResult {
  name: string;
  /** Each in the form `expected X, got Y`. Empty when the probe passed. */
  failures: string[];
  /** Time until the response was complete, or until the request failed. */
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
  /** Operations that are only called with credentials. */
  skippedWithoutCredentials: string[];
  /** Why the run ended early. */
  error?: string;
  startedAt: string;
  durationMs: number;
}

/** For example `http://localhost:8000: version 1.0.0, revision abcdef0`. */
export function formatTarget({ url, info }: Report): string {
  return info ? `${url}: version ${info.version}, revision ${info.revision}` : url;
}

/** For example `15 passed, 2 failed in 0.19 s`. */
export function formatCounts({ results, durationMs }: Report): string {
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  const passed = `${results.length - failed} passed`;
  const counts = failed === 0 ? passed : `${passed}, ${failed} failed`;
  return `${counts} in ${(durationMs / 1000).toFixed(2)} s`;
}
