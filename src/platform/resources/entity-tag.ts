/** The largest version that the column can contain. */
const MAX_VERSION = 2 ** 31 - 1;

/** Formats the version of a resource as a strong `ETag`. */
export function formatEntityTag(version: number): string {
  return `"${version}"`;
}

/**
 * Parses `If-Match`.
 *
 * @returns the versions that the client accepts: 0, which no resource has, for a tag that is not one of ours. Undefined
 *   if the client accepts any: the header is absent or `*`
 */
export function parseIfMatch(header: string | undefined): number[] | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  return header.split(',').map((tag) => {
    const version = Number(/^\s*"([1-9]\d{0,9})"\s*$/.exec(tag)?.[1] ?? 0);
    return version <= MAX_VERSION ? version : 0;
  });
}
