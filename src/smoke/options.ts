import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** What a run is to do. Times are in milliseconds. */
export interface Options {
  /** Without a slash at the end; `url + path` is what is asked. */
  url: string;
  /** Sent with every request, by their names as they were given; the values are secret. */
  headers: [name: string, value: string][];
  expectVersion?: string;
  expectRevision?: string;
  /** How many answers in a row have to come from the expected version. */
  stable: number;
  waitMs: number;
  timeoutMs: number;
  concurrency: number;
  include: string[];
  exclude: string[];
  junit?: string;
  json: boolean;
  /** A file, or `-` for standard input. */
  logs?: string;
  logsWithinMs: number;
}

/** A command line that cannot be obeyed; the message says what to do. */
export class UsageError extends Error {}

export const HELP = `Tells whether a deployed PetSage API keeps its promises.

  petsage-smoke [options] URL

It reads URL/openapi.json and calls every operation that is safe to call: each GET that needs no
parameter, also with HEAD, and each operation that is marked x-smoke-test.

Which version
  --expect-version VERSION    wait until this version answers, and fail if another one does
  --expect-revision REVISION  the same for the commit; its first 7 characters are enough
  --stable N                  how many times in a row, each on a new connection (default 3)
  --wait TIME                 how long to wait for that, or for any answer (default 0s)

What
  --include TAG|PATH          only these operations; * stands for anything; may be repeated
  --exclude TAG|PATH          not these; may be repeated
  --header 'NAME: VALUE'      sent with every request; the value is a secret, which is never printed, from
                              four characters on and but for Accept, Host and the like; @FILE reads one
                              from each line; may be repeated
  --timeout TIME              how long one request may take (default 10s)
  --concurrency N             how many checks at the same time (default 4)

The log
  --logs FILE                 the service's log as it is written, - for standard input: the record of
                              the log check has to be there, and nothing secret that was sent
  --logs-within TIME          how long that record may take (default 10s)

Results
  --junit FILE                writes them as JUnit XML too
  --json                      prints them as JSON instead
  --help, --version

TIME is a number with ms, s or m, such as 90s. Exit codes: 0 all passed, 1 a check failed, 2 wrong
use, 3 unreachable, 4 another version answered.
`;

const UNITS = { ms: 1, s: 1000, m: 60_000 };

/**
 * Reads a command line.
 *
 * @returns the options, or what is asked for in their place
 * @throws UsageError
 */
export function parseOptions(args: string[]): Options | 'help' | 'version' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  if (values.version) return 'version';
  const [target, ...more] = positionals;
  if (target === undefined || more.length > 0) {
    throw new UsageError(`expected one URL, found ${positionals.length || 'none'}`);
  }
  const { url, headers: credentials } = readTarget(target);
  const headers = [...credentials, ...values.header.flatMap(readHeaders)];
  const names = headers.map(([name]) => name.toLowerCase());
  if (new Set(names).size < names.length) throw new UsageError('--header: expected each name once');
  return {
    url,
    headers,
    expectVersion: values['expect-version'],
    expectRevision: readRevision(values['expect-revision']),
    stable: toCount('--stable', values.stable),
    waitMs: toMs('--wait', values.wait),
    timeoutMs: toMs('--timeout', values.timeout),
    concurrency: toCount('--concurrency', values.concurrency),
    include: values.include,
    exclude: values.exclude,
    junit: values.junit,
    json: values.json,
    logs: values.logs,
    logsWithinMs: toMs('--logs-within', values['logs-within']),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        'expect-version': { type: 'string' },
        'expect-revision': { type: 'string' },
        stable: { type: 'string', default: '3' },
        wait: { type: 'string', default: '0s' },
        include: { type: 'string', multiple: true, default: [] },
        exclude: { type: 'string', multiple: true, default: [] },
        header: { type: 'string', multiple: true, short: 'H', default: [] },
        timeout: { type: 'string', default: '10s' },
        concurrency: { type: 'string', default: '4' },
        logs: { type: 'string' },
        'logs-within': { type: 'string', default: '10s' },
        junit: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    });
  } catch (error) {
    // Its sentences are good, such as "Unknown option '--foo'".
    throw new UsageError((error as Error).message);
  }
}

/** The address to ask, and the credentials in it as the header that they stand for. */
function readTarget(target: string): Pick<Options, 'url' | 'headers'> {
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError('expected a URL such as https://api.example.com');
  }
  if (url.search || url.hash) throw new UsageError('expected a URL without ? and #');
  const credentials = `${decode(url.username)}:${decode(url.password)}`;
  const basic = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    headers: credentials === ':' ? [] : [['Authorization', basic]],
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError('expected a URL with % as %25 in its user name and password');
  }
}

function readHeaders(argument: string): [string, string][] {
  if (!argument.startsWith('@')) return [readHeader(argument)];
  try {
    const lines = readFileSync(argument.slice(1), 'utf8').split('\n');
    return lines.filter((line) => line.trim() !== '').map(readHeader);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--header: ${(error as Error).message}`);
  }
}

/** The sentence does not quote it: it may be a secret. */
function readHeader(line: string): [string, string] {
  const [, name, value] =
    /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)\s*$/.exec(line) ?? [];
  if (name === undefined || !value)
    throw new UsageError("--header: expected 'NAME: VALUE' or @FILE");
  return [name, value];
}

function readRevision(revision: string | undefined): string | undefined {
  if (revision === 'unknown') {
    throw new UsageError(
      '--expect-revision: expected a commit, found unknown: build the image with GIT_REVISION',
    );
  }
  if (revision !== undefined && /^[\da-f]{0,6}$/.test(revision)) {
    throw new UsageError('--expect-revision: expected at least 7 characters of a commit');
  }
  return revision;
}

function toMs(name: string, time: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(time) ?? [];
  const ms = Math.round(Number(count) * UNITS[unit as keyof typeof UNITS]);
  // What a timer can hold.
  if (!(ms < 2 ** 31)) throw new UsageError(`${name}: expected a time such as 90s, found ${time}`);
  return ms;
}

function toCount(name: string, text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1000) {
    throw new UsageError(`${name}: expected a number from 1 to 1000, found ${text}`);
  }
  return count;
}
