import { styleText } from 'node:util';
import type { Info } from './version-gate.js';

/** How a run ends, as the code of the process. */
export const EXIT_CODES = { passed: 0, failed: 1, wrongUse: 2, unreachable: 3, stale: 4 };

/** How a check ended. */
export interface Result {
  name: string;
  /** Each as `expected …, found …`; empty when it passed. */
  faults: string[];
  durationMs: number;
  /** Sends the same request again. */
  curl?: string;
}

/** What came of a run. */
export interface Report {
  url: string;
  outcome: keyof typeof EXIT_CODES;
  /** What answered; absent where it did not say. */
  info?: Info;
  results: Result[];
  /** Operations that are not called, since nothing says that they are safe to call. */
  skipped: string[];
  /** Why the run proves nothing. */
  error?: string;
  startedAt: string;
  durationMs: number;
}

/** Is told of a run as it goes on. */
export interface Reporter {
  /** It waits for the expected version. */
  waiting(line: string): void;
  begin(report: Report): void;
  /** A check begins. */
  checking(name: string): void;
  result(result: Result): void;
  end(report: Report): void;
}

/** For a run whose report is all that is wanted. */
export const SILENT: Reporter = {
  waiting: () => undefined,
  begin: () => undefined,
  checking: () => undefined,
  result: () => undefined,
  end: () => undefined,
};

/** Prints results as they come: with colors and what goes on on a terminal, as plain lines elsewhere. */
export class ConsoleReporter implements Reporter {
  private waitedFor = '';

  constructor(private readonly out: NodeJS.WriteStream = process.stdout) {}

  waiting(line: string): void {
    this.progress(line);
    // Where lines stay, the same one again says nothing.
    if (!this.out.isTTY && line !== this.waitedFor) this.line(line);
    this.waitedFor = line;
  }

  begin({ url, info }: Report): void {
    this.line(info ? `${url}: version ${info.version}, revision ${info.revision}` : url);
  }

  checking(name: string): void {
    this.progress(name);
  }

  result({ name, faults, durationMs, curl }: Result): void {
    const mark = faults.length === 0 ? this.paint('green', '✓') : this.paint('red', '✗');
    this.line(`${mark} ${name} ${this.paint('dim', `${durationMs.toFixed(0)} ms`)}`);
    for (const fault of faults) this.line(`    ${fault}`);
    if (faults.length > 0 && curl !== undefined) this.line(`    ${this.paint('dim', curl)}`);
  }

  end({ results, error, skipped, durationMs }: Report): void {
    for (const name of skipped) {
      this.line(`- ${name} ${this.paint('dim', 'not called: nothing says that it is safe')}`);
    }
    if (error !== undefined) this.line(`${this.paint('red', '✗')} ${error}`);
    const failed = results.filter(({ faults }) => faults.length > 0).length;
    const counts = [
      this.paint('green', `${results.length - failed} passed`),
      ...(failed > 0 ? [this.paint('red', `${failed} failed`)] : []),
    ];
    this.line(`${counts.join(', ')} in ${(durationMs / 1000).toFixed(2)} s`);
  }

  private progress(line: string): void {
    if (!this.out.isTTY) return;
    // A line that is wrapped could not be written over.
    this.out.write(`\r\x1b[K${line.slice(0, this.out.columns - 1)}`);
  }

  private line(line: string): void {
    this.out.write(`${this.out.isTTY ? '\r\x1b[K' : ''}${line}\n`);
  }

  /** Plain where the stream is no terminal, and by NO_COLOR. */
  private paint(style: 'green' | 'red' | 'dim', text: string): string {
    return styleText(style, text, { stream: this.out });
  }
}
