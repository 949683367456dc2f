import { styleText } from 'node:util';
import { formatCounts, formatTarget, type ProbeResult, type Report } from './report.js';

/** How often the time left is printed while the reason stays the same. */
const WAITING_INTERVAL_MS = 10_000;

/** Prints a run while it is in progress, with colors on a terminal. */
export class ConsoleReporter {
  private lastWaiting = { reason: '', remainingMs: 0 };

  constructor(private readonly out: NodeJS.WritableStream = process.stdout) {}

  /** Prints what the run waits for: at once for a new reason, otherwise every 10 seconds. */
  printWaiting(url: string, reason: string, remainingMs: number): void {
    const { lastWaiting } = this;
    const elapsedMs = lastWaiting.remainingMs - remainingMs;
    if (reason === lastWaiting.reason && elapsedMs < WAITING_INTERVAL_MS) return;
    this.lastWaiting = { reason, remainingMs };
    this.printLine(`Waiting for ${url} (${Math.ceil(remainingMs / 1000)} s left): ${reason}`);
  }

  printTarget(report: Report): void {
    this.printLine(formatTarget(report));
  }

  printResult({ name, failures, durationMs, curl }: ProbeResult): void {
    const mark = failures.length === 0 ? '✓' : this.style('red', '✗');
    this.printLine(`${mark} ${name} ${this.style('dim', `${durationMs} ms`)}`);
    for (const failure of failures) this.printLine(`    ${failure}`);
    if (failures.length > 0 && curl !== undefined) this.printLine(`    ${this.style('dim', curl)}`);
  }

  /** Only the summary of a run that passed is green. */
  printSummary(report: Report): void {
    const { outcome, error, skipped, skippedWithoutCredentials } = report;
    for (const name of skipped) {
      this.printLine(`- ${name} ${this.style('dim', 'skipped: not known to be safe to call')}`);
    }
    for (const name of skippedWithoutCredentials) {
      this.printLine(`- ${name} ${this.style('dim', 'skipped: requires credentials')}`);
    }
    if (skippedWithoutCredentials.length > 0) {
      this.printLine(
        `${skippedWithoutCredentials.length} skipped because they require credentials. Set SMOKE_TOKEN or --header.`,
      );
    }
    if (error !== undefined) this.printLine(`${this.style('red', '✗')} ${error}`);
    const color = outcome === 'passed' ? 'green' : 'red';
    this.printLine(this.style(color, formatCounts(report)));
  }

  private printLine(line: string): void {
    this.out.write(`${line}\n`);
  }

  /** Adds no color when the output is not a terminal or `NO_COLOR` is set. */
  private style(format: 'green' | 'red' | 'dim', text: string): string {
    return styleText(format, text, { stream: this.out });
  }
}
