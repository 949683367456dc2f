import { randomUUID } from 'node:crypto';
import { type ApiDocument, BrokenDocument } from './api-document.js';
import { type Check, checksOf, documentCheck } from './checks.js';
import { Connection, NoAnswer } from './connection.js';
import { LogProof } from './log-proof.js';
import { type Options, UsageError } from './options.js';
import type { Report, Reporter, Result } from './report.js';
import { Secrets } from './secrets.js';
import { StaleVersion, Unreachable, VersionGate } from './version-gate.js';

/** When so many requests have no answer, the rest is not asked: it would take as long each. */
const MOST_UNANSWERED = 5;

/** How long all checks together may take, in milliseconds. */
const LIMIT_MS = 300_000;

/** Of one check, so many faults are told. */
const MOST_FAULTS = 10;

/** A command is of use as a whole. */
const LONGEST_CURL = 4000;

/**
 * Puts a target to the test: waits for the version that is expected, calls what its OpenAPI document
 * says is safe to call, and asks for the version again. Whatever the target does is in the report.
 *
 * @param reporter is told of everything as it happens
 */
export async function run(options: Options, reporter: Reporter): Promise<Report> {
  const began = performance.now();
  const report: Report = {
    url: options.url,
    outcome: 'passed',
    results: [],
    skipped: [],
    startedAt: new Date().toISOString(),
    durationMs: 0,
  };
  try {
    await new Run(options, reporter, report).go();
  } catch (error) {
    if (error instanceof StaleVersion) report.outcome = 'stale';
    else if (error instanceof Unreachable) report.outcome = 'unreachable';
    else if (error instanceof UsageError) report.outcome = 'wrongUse';
    else throw error;
    report.error = new Secrets(options.headers).clean(error.message);
  }
  const hasFailed = report.results.some(({ faults }) => faults.length > 0);
  if (hasFailed && ['passed', 'unreachable'].includes(report.outcome)) report.outcome = 'failed';
  report.durationMs = performance.now() - began;
  reporter.end(report);
  return report;
}

class Run {
  private readonly gate: VersionGate;
  private readonly secrets: Secrets;
  /** Text that nobody has sent before, and that has no business in a log. */
  private readonly nonce = randomUUID();
  private readonly log: LogProof | undefined;
  private unanswered = 0;
  private deadline = Infinity;

  constructor(
    private readonly options: Options,
    private readonly reporter: Reporter,
    private readonly report: Report,
  ) {
    this.gate = new VersionGate(options);
    this.secrets = new Secrets(options.headers);
    if (options.logs !== undefined) {
      const isSecret = (text: string) => text.includes(this.nonce) || this.secrets.isIn(text);
      this.log = new LogProof(options.logs, isSecret);
    }
  }

  /** @throws StaleVersion, Unreachable, UsageError */
  async go(): Promise<void> {
    try {
      await this.log?.start();
      const info = await this.gate.open((line) => {
        this.reporter.waiting(this.secrets.clean(line));
      });
      if (info) {
        const { version, revision } = info;
        this.report.info = {
          version: this.secrets.clean(version),
          revision: this.secrets.clean(revision),
        };
      }
      this.reporter.begin(this.report);
      this.deadline = performance.now() + LIMIT_MS;
      let checkAll: (() => Promise<void>) | undefined;
      const read = (document: ApiDocument) => {
        const checks = checksOf(document, this.nonce);
        checkAll = () => this.checkAll(document, checks);
      };
      await this.perform(documentCheck(read));
      await checkAll?.();
      await this.gate.confirm();
    } finally {
      this.log?.stop();
    }
  }

  private async checkAll(document: ApiDocument, all: Check[]): Promise<void> {
    const checks = all.filter((check) => this.isWanted(check));
    if (checks.length === 0) {
      throw new UsageError('--include, --exclude: expected one operation or more, found none');
    }
    const logged = checks.filter(({ logs }) => this.log && logs);
    if (this.log && logged.length === 0) {
      throw new UsageError('--logs: expected a call that leaves a record in the log, found none');
    }
    this.report.skipped = document.operations
      .filter(({ isSafe, path: route, tags }) => !isSafe && this.isWanted({ route, tags }))
      .map(({ method, path }) => this.secrets.clean(`${method} ${path}`));
    await this.performAll(checks.filter((check) => !logged.includes(check)));
    // Last: when their records are there, so are those of the calls before.
    await this.performAll(logged);
    const faults = this.log?.judgeAll() ?? [];
    // Where no record was seen, nothing secret in it proves nothing.
    const isSeen = this.log && !this.hasFailed(logged);
    if (isSeen || faults.length > 0) {
      this.add({ name: 'Nothing secret in the log', faults, durationMs: 0 });
    }
  }

  private hasFailed(checks: Check[]): boolean {
    const names = checks.map(({ name }) => this.secrets.clean(name));
    return this.report.results.some(
      ({ name, faults }) => faults.length > 0 && names.includes(name),
    );
  }

  private isWanted({ route, tags }: { route: string; tags: string[] }): boolean {
    const { include, exclude } = this.options;
    const matches = (pattern: string) => [route, ...tags].some((text) => isLike(text, pattern));
    return (include.length === 0 || include.some(matches)) && !exclude.some(matches);
  }

  private async performAll(checks: Check[]): Promise<void> {
    const queue = [...checks];
    const work = async () => {
      for (let check = queue.shift(); check; check = queue.shift()) await this.perform(check);
    };
    const workers = Array.from({ length: this.options.concurrency }, work);
    try {
      await Promise.all(workers);
    } finally {
      // After an error no more checks begin.
      queue.length = 0;
      await Promise.allSettled(workers);
    }
  }

  /**
   * Performs a check on a connection of its own.
   *
   * @throws StaleVersion when another version than the expected one is at its other end, and
   *   Unreachable when too many had no answer
   */
  private async perform(check: Check): Promise<void> {
    if (this.unanswered >= MOST_UNANSWERED) {
      throw new Unreachable(`expected answers, found none to ${MOST_UNANSWERED} requests`);
    }
    if (performance.now() > this.deadline) {
      throw new Unreachable(`expected all answers within ${LIMIT_MS / 1000} s, found more to come`);
    }
    this.reporter.checking(this.secrets.clean(check.name));
    const connection = new Connection(this.options);
    let began = performance.now();
    let faults: string[];
    try {
      await this.gate.check(connection);
      began = performance.now();
      faults = await this.judge(check, connection);
    } catch (error) {
      if (error instanceof StaleVersion) throw error;
      if (error instanceof NoAnswer) {
        this.unanswered += 1;
        faults = [`expected an answer, found ${error.message}`];
      } else if (error instanceof BrokenDocument) {
        faults = [error.message];
      } else {
        // A document may break what judges by it in ways that nobody foresaw.
        faults = [`expected an OpenAPI document that can be used, found ${String(error)}`];
      }
    } finally {
      connection.close();
    }
    const durationMs = performance.now() - began;
    this.add({ name: check.name, faults, durationMs, curl: this.curlOf(check) });
  }

  private async judge(check: Check, connection: Connection): Promise<string[]> {
    const exchange = await connection.send(check);
    if (this.gate.isClosed && !exchange.isReused) {
      return [
        'expected a connection that stays open, found that the target closes it: it cannot be told which version answered',
      ];
    }
    const faults = check.judge(exchange);
    if (faults.length > 0 || !check.logs || !this.log) return faults;
    return this.log.judgeRecord(exchange.requestId, check.logs, this.options.logsWithinMs);
  }

  private add({ name, faults, durationMs, curl }: Result): void {
    const result = {
      name: this.secrets.clean(name),
      faults: faults.slice(0, MOST_FAULTS).map((fault) => this.secrets.clean(fault)),
      durationMs,
      curl: curl && this.secrets.clean(curl, LONGEST_CURL),
    };
    this.report.results.push(result);
    this.reporter.result(result);
  }

  /** The command that sends a check's request, with the names of secret headers alone. */
  private curlOf({ method, path, body }: Check): string {
    const headers = this.options.headers.map(([name]) => `${name}: ***`);
    if (body !== undefined) headers.unshift('Content-Type: application/json');
    return [
      ...['curl', method === 'HEAD' ? '-I' : '-i'],
      ...(method === 'HEAD' || method === 'GET' ? [] : ['-X', method]),
      ...headers.flatMap((header) => ['-H', quote(header)]),
      ...(body === undefined ? [] : ['-d', quote(body)]),
      quote(this.options.url + path),
    ].join(' ');
  }
}

/** Whether a text is what a pattern says, in which * stands for anything. */
function isLike(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

/** For a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
