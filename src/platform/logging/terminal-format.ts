import { styleText } from 'node:util';
import pretty from 'pino-pretty';
import { packageInfo } from '../package-info.js';
import type { Settings } from '../settings/settings.js';

/** Nest's loggers with one record for each module, controller, and route. */
const STARTUP_CONTEXTS: unknown[] = ['InstanceLoader', 'RoutesResolver', 'RouterExplorer'];

/** Fields of the request log's records. */
interface RequestRecord {
  time: string;
  requestId: string;
  method: string;
  route: string;
  statusCode?: number;
  durationMs: number;
  msg: string;
}

/**
 * Creates a function that formats a log record for a terminal: a request as one line, and other records
 * with pino-pretty. Nest's start-up records have the level `debug`.
 */
export function createTerminalFormat({ LOG_LEVEL }: Settings): (line: string) => string {
  const isDebug = LOG_LEVEL === 'debug' || LOG_LEVEL === 'trace';
  const formatRecord = pretty.prettyFactory({
    colorize: pretty.isColorSupported,
    translateTime: 'SYS:HH:MM:ss',
    messageFormat: '{if context}[{context}] {end}{msg}',
    ignore: 'service,version,context',
  });
  return (line) => {
    // The banner is not a record.
    if (!line.startsWith('{')) return line;
    const record = JSON.parse(line) as { context?: string };
    if (record.context === 'RequestLog') return formatRequest(record as unknown as RequestRecord);
    if (!STARTUP_CONTEXTS.includes(record.context)) return formatRecord(record);
    return isDebug ? formatRecord({ ...record, level: 'debug' }) : '';
  };
}

/** Formats a request such as `15:21:28 GET /boom 500 9 ms b3c5a285`. */
function formatRequest(record: RequestRecord): string {
  const { method, route, statusCode, durationMs, msg, requestId } = record;
  const parts = [
    color('dim', new Date(record.time).toTimeString().slice(0, 8)),
    // Node's parser rejected the request.
    method || '-',
    route,
    statusCode === undefined ? '-' : color(getStatusColor(statusCode), String(statusCode)),
    `${Math.round(durationMs)} ms`,
    color('dim', requestId.slice(0, 8)),
  ];
  if (msg !== 'Request completed') parts.push(color('red', msg));
  return `${parts.join(' ')}\n`;
}

function getStatusColor(status: number): Color {
  if (status >= 500) return 'red';
  return status >= 400 ? 'yellow' : 'green';
}

type Color = 'dim' | 'red' | 'yellow' | 'green';

function color(name: Color, text: string): string {
  return pretty.isColorSupported ? styleText(name, text) : text;
}

/** Formats what a terminal shows when the service listens, with URLs that terminals make clickable. */
export function formatBanner(url: string, { HOST, DOCS }: Settings): string {
  const isPublic = HOST === '0.0.0.0' || HOST === '::';
  return [
    `PetSage API ${packageInfo.version} is listening on ${HOST}${isPublic ? ' (all network interfaces)' : ''}`,
    `  Service        ${url}`,
    ...(DOCS ? [`  Documentation  ${url}/docs`] : []),
    '',
  ].join('\n');
}
