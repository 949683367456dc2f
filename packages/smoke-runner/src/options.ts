import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { unescape } from 'node:querystring';
import { rootCertificates } from 'node:tls';
import { parseArgs } from 'node:util';
import { RunError } from './run-error.js';

export const HELP = `Usage: petsage-smoke [options] URL

Verifies a running PetSage API. Reads URL/openapi.json or --document, sends a request to each operation that is
safe to call, and compares the response with the document. GET operations without required
parameters, which are also called with HEAD, and operations marked with x-smoke-test are safe to call.
Operations that require credentials are skipped without them: see SMOKE_TOKEN and --header.

Version:
  --expect-version VERSION    fail when another version responds
  --expect-revision REVISION  fail when another Git commit responds; 7 characters are enough
  --stable N                  require N matching responses in a row, each on a new connection,
                              before and after the probes (default: 3)
  --wait DURATION             wait for the expected version, or for any response (default: 0s)

Requests:
  --document FILE             read the OpenAPI document from a JSON file, for a service with DOCS=false
  --include TAG|PATH          call only these operations; * matches any text; repeatable
  --exclude TAG|PATH          do not call these operations; repeatable
  -H, --header 'NAME: VALUE'  add a header to each request; @FILE reads one header per line;
                              repeatable. Values are secret: they are never printed, unless they
                              have fewer than 4 characters or the header is public, such as Accept
                              The variable SMOKE_TOKEN sets the header Authorization: Bearer …
  --cacert FILE               trust the CA certificates in this PEM file, too
  --timeout DURATION          time limit of a request (default: 10s)
  --max-response-time DURATION
                              fail a probe whose response takes longer
  --concurrency N             number of requests at the same time (default: 4)

Log:
  --logs FILE                 verify the service's log, which is appended to FILE or piped to
                              standard input (-): it must contain one record of each request that
                              writes one, and no secret
  --logs-within DURATION      time limit for a record to arrive (default: 10s)

Output:
  --junit FILE                write the results to FILE as JUnit XML
  --summary FILE              append the results to FILE as Markdown, for example to
                              $GITHUB_STEP_SUMMARY
  --json                      print the results as JSON
  -h, --help                  print this help
  -v, --version               print the version

URL is http:// by default: localhost:8000. DURATION is a number with a unit: 500ms, 90s, 5m.

Exit codes: 0 all probes passed, 1 a probe failed, 2 wrong usage, 3 no response or no version,
4 another version responded.
`;

const UNITS_MS = { ms: 1, s: 1000, m: 60_000 };
const MAX_TIMER_MS = 2 ** 31 - 1;

type Header = [name: string, value: string];

/** Options of a run, with durations in milliseconds. */
export type Options = Exclude<ReturnType<typeof parseOptions>, string>;

/**
 * Parses the command line.
 *
 * @throws RunError for an invalid value, TypeError for an unknown option
 */
export function parseOptions(args: string[], { SMOKE_TOKEN: token }: NodeJS.ProcessEnv = {}) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      'expect-version': { type: 'string' },
      'expect-revision': { type: 'string' },
      stable: { type: 'string', default: '3' },
      wait: { type: 'string', default: '0s' },
      document: { type: 'string' },
      include: { type: 'string', multiple: true, default: [] },
      exclude: { type: 'string', multiple: true, default: [] },
      header: { type: 'string', multiple: true, short: 'H', default: [] },
      cacert: { type: 'string' },
      timeout: { type: 'string', default: '10s' },
      'max-response-time': { type: 'string' },
      concurrency: { type: 'string', default: '4' },
      logs: { type: 'string' },
      'logs-within': { type: 'string', default: '10s' },
      junit: { type: 'string' },
      summary: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', short: 'v', default: false },
    },
  });
  if (values.help) return 'help' as const;
  if (values.version) return 'version' as const;
  const [target] = positionals;
  if (target === undefined || positionals.length > 1) {
    throw new RunError('usageError', `Expected one URL, got ${positionals.length}.`);
  }
  const { url, headers } = parseTarget(target);
  return {
    /** Without a trailing slash. */
    url,
    /** The headers of each request. Their values are secret. */
    headers: addToken([...headers, ...values.header.flatMap(readHeaders)], token),
    expectVersion: values['expect-version'],
    expectRevision: parseRevision(values['expect-revision']),
    stable: parseCount('--stable', values.stable),
    waitMs: parseDuration('--wait', values.wait),
    cacert: values.cacert,
    /** Trusted certificates in PEM format. Undefined: the root certificates of Node.js. */
    ca: values.cacert === undefined ? undefined : readCertificates(values.cacert),
    timeoutMs: parseDuration('--timeout', values.timeout),
    maxResponseTimeMs:
      values['max-response-time'] === undefined
        ? Infinity
        : parseDuration('--max-response-time', values['max-response-time']),
    concurrency: parseCount('--concurrency', values.concurrency),
    document: values.document,
    include: values.include,
    exclude: values.exclude,
    logs: values.logs,
    logsWithinMs: parseDuration('--logs-within', values['logs-within']),
    junit: values.junit,
    summary: values.summary,
    json: values.json,
  };
}

/** Turns credentials in the URL into a header. */
function parseTarget(target: string): { url: string; headers: Header[] } {
  const href = target.includes('://') ? target : `http://${target}`;
  const url = URL.canParse(href) ? new URL(href) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new RunError('usageError', 'The URL is invalid. Use one such as https://example.com.');
  }
  if (url.search || url.hash) {
    throw new RunError('usageError', 'The URL has a query or a fragment. Remove it.');
  }
  const credentials = `${unescape(url.username)}:${unescape(url.password)}`;
  const basic = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    headers: credentials === ':' ? [] : [['Authorization', basic]],
  };
}

function readHeaders(argument: string): Header[] {
  if (!argument.startsWith('@')) return [parseHeader(argument)];
  const lines = readFileSync(argument.slice(1), 'utf8').split('\n');
  return lines.filter((line) => line.trim() !== '').map(parseHeader);
}

/** The errors do not quote the token. */
function addToken(headers: Header[], token = ''): Header[] {
  if (token === '') return headers;
  if (headers.some(([name]) => name.toLowerCase() === 'authorization')) {
    throw new RunError('usageError', 'SMOKE_TOKEN and an Authorization header are set. Use one.');
  }
  if (!/^[\w.~+/-]+=*$/.test(token)) {
    throw new RunError('usageError', 'SMOKE_TOKEN is invalid. Use a bearer token.');
  }
  return [...headers, ['Authorization', `Bearer ${token}`]];
}

/** The error does not quote the header, because it may be secret. */
function parseHeader(line: string): Header {
  const [, name = '', value = ''] = /^([\w-]+):([\t -~\x80-\xff]*)\r?$/.exec(line) ?? [];
  if (value.trim() === '') {
    throw new RunError('usageError', "--header is invalid. Use 'NAME: VALUE' or @FILE.");
  }
  return [name, value.trim()];
}

/** Adds the certificates of a file to the root certificates. Node.js ignores certificates that it cannot read. */
function readCertificates(file: string): string[] {
  const block = /-----BEGIN CERTIFICATE-----[^-]*(-----END CERTIFICATE-----)?/g;
  const certificates = readFileSync(file, 'utf8').match(block) ?? [''];
  try {
    return [...rootCertificates, ...certificates.map((pem) => new X509Certificate(pem).toString())];
  } catch {
    throw new RunError('usageError', `--cacert ${file} is invalid. Use PEM certificates.`);
  }
}

function parseRevision(revision: string | undefined): string | undefined {
  if (revision !== undefined && /^([\da-f]{0,6}|unknown)$/.test(revision)) {
    throw new RunError(
      'usageError',
      `--expect-revision ${revision} is invalid. Use at least 7 characters of a commit.`,
    );
  }
  return revision;
}

function parseDuration(name: string, text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const ms = Math.round(Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]);
  if (!(ms <= MAX_TIMER_MS)) {
    throw new RunError('usageError', `${name} ${text} is invalid. Use a duration such as 90s.`);
  }
  return ms;
}

function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1000) {
    throw new RunError('usageError', `${name} ${text} is invalid. Use a number from 1 to 1000.`);
  }
  return count;
}
