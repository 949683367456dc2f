import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

const sourceMaps = new Map<string, SourceMap | undefined>();

/**
 * Makes stack traces name the TypeScript sources.
 *
 * `process.setSourceMapsEnabled()` would process the source maps of all modules at start-up, which then
 * takes 1.2 times as long. This reads a source map when a stack trace first contains its file.
 */
export function enableSourceMaps(): void {
  Error.prepareStackTrace = (error, callSites) =>
    [String(error), ...callSites.map((callSite) => `    at ${formatCallSite(callSite)}`)].join(
      '\n',
    );
}

function formatCallSite(callSite: NodeJS.CallSite): string {
  // eslint-disable-next-line @typescript-eslint/no-base-to-string -- @types/node lacks the method
  const text = String(callSite);
  const url = callSite.getFileName();
  const line = callSite.getLineNumber();
  const column = callSite.getColumnNumber();
  if (!url?.startsWith('file:') || line === null || column === null) return text;
  const origin = loadSourceMap(url)?.findEntry(line - 1, column - 1);
  if (origin === undefined || !('originalSource' in origin)) return text;
  // Sources are relative to the file. Without the parent folders, they are relative to the package.
  const source = origin.originalSource.replace(/^(\.\.\/)+/, '');
  return text.replace(
    `${url}:${line}:${column}`,
    `${source}:${origin.originalLine + 1}:${origin.originalColumn + 1}`,
  );
}

function loadSourceMap(url: string): SourceMap | undefined {
  if (!sourceMaps.has(url)) sourceMaps.set(url, readSourceMap(`${fileURLToPath(url)}.map`));
  return sourceMaps.get(url);
}

function readSourceMap(file: string): SourceMap | undefined {
  if (!existsSync(file)) return undefined;
  return new SourceMap(JSON.parse(readFileSync(file, 'utf8')) as SourceMapPayload);
}
