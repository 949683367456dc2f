import { randomUUID } from 'node:crypto';
import { verifyResponse } from './assertions.js';
import type { ConsoleReporter } from './console-reporter.js';
import { HttpConnection, type HttpResponse } from './http-connection.js';
import { LogVerifier } from './log-verifier.js';
import { type Operation, readOperations, readOperationsFile } from './openapi-reader.js';
import type { Options } from './options.js';
import { createProbes, DOCUMENT_PROBE, type Probe } from './probes.js';
import { Redactor } from './redactor.js';
import type { ProbeResult, Report } from './report.js';
import { ResponseError, RunError } from './run-error.js';
import { VersionGate } from './version-gate.js';
import { matchesWildcard } from './wildcard.js';

/** Runs the probes of one target. */
export class Runner {
  private readonly versionGate: VersionGate;
  private readonly redactor: Redactor;
  private readonly logVerifier?: LogVerifier;
  /** A unique string that the log must not contain. */
  private readonly nonce = randomUUID();
  private readonly report: Report;
  private readonly credentials: Set<string>;
  private operations: Operation[] = [];

  /**
   * @param reporter prints the run while it is in progress
   * @throws RunError if the file of the OpenAPI document is invalid
   */
  constructor(
    private readonly options: Options,
    private readonly reporter?: ConsoleReporter,
  ) {
    this.versionGate = new VersionGate(options);
    this.redactor = new Redactor(options.headers);
    this.credentials = findCredentials(options.headers);
    if (options.document !== undefined) this.operations = readOperationsFile(options.document);
    if (options.logs !== undefined) {
      const containsSecret = (line: string) =>
        line.includes(this.nonce) || this.redactor.containsSecret(line);
      this.logVerifier = new LogVerifier(options.logs, containsSecret);
    }
    this.report = {
      url: options.url,
      outcome: 'passed',
      results: [],
      skipped: [],
      skippedWithoutCredentials: [],
      startedAt: new Date().toISOString(),
      durationMs: 0,
    };
  }

  async run(): Promise<Report> {
    const { report } = this;
    const startTime = performance.now();
    try {
      this.logVerifier?.start();
      await this.verifyTarget();
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      report.outcome = error.outcome;
      report.error = this.redactor.redact(error.message);
    } finally {
      this.logVerifier?.stop();
    }
    const hasFailures = report.results.some(({ failures }) => failures.length > 0);
    if (hasFailures && report.outcome !== 'wrongVersion') report.outcome = 'failed';
    report.durationMs = Math.round(performance.now() - startTime);
    this.reporter?.printSummary(report);
    return report;
  }

  private async verifyTarget(): Promise<void> {
    const { url } = this.options;
    const info = await this.versionGate.waitForVersion((reason, remainingMs) => {
      this.reporter?.printWaiting(url, this.redactor.redact(reason), remainingMs);
    });
    if (info) this.report.info = this.redactor.redact(info);
    this.reporter?.printTarget(this.report);
    if (this.options.document === undefined) await this.runProbe(DOCUMENT_PROBE);
    if (this.operations.length > 0) await this.verifyOperations();
    await this.versionGate.confirmVersion();
  }

  private async verifyOperations(): Promise<void> {
    const selected = this.operations.filter((operation) => this.isSelected(operation));
    const safe = selected.filter(({ smokeTest }) => smokeTest);
    const callable = safe.filter((operation) => this.hasCredentials(operation));
    this.report.skipped = this.listNames(selected.filter((operation) => !safe.includes(operation)));
    this.report.skippedWithoutCredentials = this.listNames(
      safe.filter((operation) => !callable.includes(operation)),
    );
    const probes = createProbes(callable, this.nonce).filter((probe) => this.isSelected(probe));
    if (probes.length === 0) {
      const message =
        safe.length > 0
          ? 'All selected operations require credentials. Set SMOKE_TOKEN or --header.'
          : 'No operation is selected. Change --include or --exclude.';
      throw new RunError('usageError', message);
    }
    const logProbes = probes.filter(({ logs }) => logs);
    if (this.logVerifier && logProbes.length === 0) {
      throw new RunError(
        'usageError',
        'No selected operation writes a log record. Select one, or remove --logs.',
      );
    }
    await this.runInBatches(probes.filter(({ logs }) => !logs));
    // Last: when their records have arrived, the records of all earlier requests have arrived, too.
    for (const probe of logProbes) await this.runProbe(probe);
    if (this.logVerifier) {
      const failures = this.logVerifier.verifyNoSecret();
      this.addResult({ name: 'No secret in the log', failures, durationMs: 0 });
    }
  }

  private hasCredentials({ credentials }: Operation): boolean {
    const isGiven = (names: string[]) => names.every((name) => this.credentials.has(name));
    return credentials.length === 0 || credentials.some(isGiven);
  }

  private listNames(operations: Operation[]): string[] {
    return operations.map(({ method, route }) => this.redactor.redact(`${method} ${route}`));
  }

  private isSelected({ route, tags }: Pick<Operation, 'route' | 'tags'>): boolean {
    const { include, exclude } = this.options;
    const matches = (pattern: string) =>
      [route, ...tags].some((text) => matchesWildcard(text, pattern));
    return (include.length === 0 || include.some(matches)) && !exclude.some(matches);
  }

  private async runInBatches(probes: Probe[]): Promise<void> {
    const { concurrency } = this.options;
    for (let i = 0; i < probes.length; i += concurrency) {
      const batch = probes.slice(i, i + concurrency).map((probe) => this.runProbe(probe));
      // The other probes of the batch complete before an error ends the run.
      await Promise.allSettled(batch);
      await Promise.all(batch);
    }
  }

  /**
   * Runs a probe on a new connection.
   *
   * @throws RunError when another version responds
   */
  private async runProbe(probe: Probe): Promise<void> {
    const { maxResponseTimeMs } = this.options;
    const connection = new HttpConnection(this.options);
    let startTime = performance.now();
    let durationMs: number | undefined;
    let failures: string[];
    try {
      if (this.versionGate.isEnabled) await this.versionGate.verifyConnection(connection);
      startTime = performance.now();
      const response = await connection.send(probe);
      ({ durationMs } = response);
      failures = await this.verify(probe, response);
      if (durationMs > maxResponseTimeMs) {
        failures.push(
          `expected a response within ${maxResponseTimeMs} ms, got one after ${durationMs} ms`,
        );
      }
    } catch (error) {
      if (!(error instanceof ResponseError)) throw error;
      durationMs ??= Math.ceil(performance.now() - startTime);
      failures = [error.message];
    } finally {
      connection.close();
    }
    this.addResult({ name: probe.name, failures, durationMs, curl: this.formatCurl(probe) });
  }

  private async verify(probe: Probe, response: HttpResponse): Promise<string[]> {
    if (this.versionGate.isEnabled && !response.isConnectionReused) {
      return [
        'expected a keep-alive connection, got one that the target closes after each response',
      ];
    }
    const failures = verifyResponse(probe, response);
    if (failures.length > 0) return failures;
    if (probe === DOCUMENT_PROBE) this.operations = readOperations(response.text);
    if (!probe.logs || !this.logVerifier) return [];
    const { logsWithinMs } = this.options;
    return this.logVerifier.verifyRecord(response.requestId, probe.logs, logsWithinMs);
  }

  private addResult(result: ProbeResult): void {
    const redacted = this.redactor.redact(result);
    this.report.results.push(redacted);
    this.reporter?.printResult(redacted);
  }

  /** Formats a command for a POSIX shell that repeats a request. Omits the values of headers. */
  private formatCurl({ method, path, body }: Probe): string {
    const { url, cacert } = this.options;
    const headers = this.options.headers.map(([name]) => `${name}: ***`);
    if (body !== undefined) headers.unshift('Content-Type: application/json');
    return [
      'curl',
      method === 'HEAD' ? '-I' : '-i',
      ...(method === 'HEAD' || method === 'GET' ? [] : ['-X', method]),
      ...(cacert === undefined ? [] : ['--cacert', quote(cacert)]),
      ...headers.flatMap((header) => ['-H', quote(header)]),
      ...(body === undefined ? [] : ['-d', quote(body)]),
      quote(url + path),
    ].join(' ');
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Returns the names of the headers, and the scheme of an Authorization header, in lower case. */
function findCredentials(headers: Options['headers']): Set<string> {
  return new Set(
    headers.flatMap(([name, value]) =>
      name.toLowerCase() === 'authorization'
        ? [value.split(' ', 1).join('').toLowerCase()]
        : [name.toLowerCase()],
    ),
  );
}
