/** Shorter values are no secrets, and would be found everywhere. */
const SHORTEST = 4;

/** Of one thing that is printed, so many characters are enough. */
const LONGEST_LINE = 500;

/** Headers whose values may be anywhere, and in a log too. */
const HARMLESS = /^(accept.*|cache-control|content-type|host|origin|pragma|referer|user-agent)$/i;

/** The values of the headers that were given on the command line, which are never printed. */
export class Secrets {
  /** What may be in no log, in every spelling. */
  readonly logged: string[];
  private readonly hidden: string[];

  constructor(headers: [name: string, value: string][]) {
    const harmful = headers.filter(([name]) => !HARMLESS.test(name));
    this.logged = spellingsOf(harmful);
    this.hidden = spellingsOf(headers);
  }

  /**
   * What may be printed of a text that somebody else wrote: one line that is not too long, without
   * secrets, and without what a terminal or a pipeline would obey.
   */
  clean(text: string): string {
    const plain = text
      .replace(/\\u00([2-7][\da-f])/gi, (_, code: string) =>
        String.fromCharCode(parseInt(code, 16)),
      )
      .replaceAll('\\/', '/');
    const line = this.hidden
      .reduce((rest, value) => rest.replaceAll(value, '***'), plain)
      .replace(/[\s\x00-\x1f\x7f-\x9f]+/g, ' ');
    return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
  }
}

/** Values in every spelling in which they may come back, the longest first. */
function spellingsOf(headers: [name: string, value: string][]): string[] {
  const values = headers
    .flatMap(([name, value]) => [value, ...partsOf(name, value)])
    .flatMap((value) => [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])
    .filter((value) => value.length >= SHORTEST);
  return [...new Set(values)].sort((a, b) => b.length - a.length);
}

/** The values of cookies; credentials without their scheme, and those of HTTP's basic scheme in plain text. */
function partsOf(name: string, value: string): string[] {
  if (name.toLowerCase() === 'cookie') {
    return value.split(';').map((pair) => pair.replace(/^[^=]*=/, '').trim());
  }
  const [, scheme, credentials] = /^([\w-]+) +(.+)$/.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return [];
  if (scheme.toLowerCase() !== 'basic') return [credentials];
  const plain = Buffer.from(credentials, 'base64').toString();
  return [credentials, plain, plain.replace(/^[^:]*:/, '')];
}
