/** Shorter values are no secrets, and would be found everywhere. */
const SHORTEST = 4;

/** Shorter ones may be in a log by chance. */
const SHORTEST_IN_LOG = 8;

/** Of one thing that is printed, so many characters are enough. */
const LONGEST_LINE = 500;

/** Headers whose values are no secrets. */
const HARMLESS =
  /^(accept.*|cache-control|connection|content-type|forwarded|host|origin|pragma|referer|trace(parent|state)|user-agent|x-forwarded-.*)$/i;

/** The values of the headers that were given on the command line, which are never printed. */
export class Secrets {
  /** Each with its parts, the longest first. */
  private readonly values: string[];

  constructor(headers: [name: string, value: string][]) {
    const values = headers
      .filter(([name]) => !HARMLESS.test(name))
      .flatMap(([name, value]) => [value, ...partsOf(name, value)])
      .flatMap((value) => [value, decode(value)])
      .filter((value) => value.length >= SHORTEST);
    this.values = [...new Set(values)].sort((a, b) => b.length - a.length);
  }

  /** Whether a line of a log has one of them. */
  isIn(line: string): boolean {
    const plain = decode(line);
    return this.values.some(
      (value) => value.length >= SHORTEST_IN_LOG && (line.includes(value) || plain.includes(value)),
    );
  }

  /**
   * What may be printed of a text that somebody else wrote: one line that is not too long, without
   * secrets, and without what a terminal or a pipeline would obey.
   */
  clean(text: string, longest = LONGEST_LINE): string {
    const plain = this.hide(decode(text));
    // Only where a secret stands in another spelling, the text has to be shown in a plain one.
    const hidden = plain.includes('***') ? plain : this.hide(text);
    const line = hidden.replace(/[\s\x00-\x1f\x7f-\x9f]+/g, ' ');
    return line.length > longest ? `${line.slice(0, longest)}…` : line;
  }

  private hide(text: string): string {
    return this.values.reduce((rest, value) => rest.replaceAll(value, '***'), text);
  }
}

/** The values of cookies; what is quoted; credentials without their scheme, and basic ones in plain text. */
function partsOf(name: string, value: string): string[] {
  const parts = [...value.matchAll(/"([^"]*)"/g)].map(([, quoted = '']) => quoted);
  if (name.toLowerCase() === 'cookie') {
    parts.push(...value.split(';').map((pair) => pair.replace(/^[^=]*=/, '').trim()));
  }
  const [, scheme, credentials] = /^([\w-]+) +(.+)$/.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return parts;
  parts.push(credentials);
  if (scheme.toLowerCase() === 'basic') {
    const plain = Buffer.from(credentials, 'base64').toString();
    parts.push(plain, plain.replace(/^[^:]*:/, ''));
  }
  return parts;
}

const ENTITIES: Record<string, string> = { quot: '"', amp: '&', lt: '<', gt: '>', '#39': "'" };

/** A text without what JSON, URLs and HTML escape in it. */
function decode(text: string): string {
  return text
    .replace(/\\+u00([\da-f]{2})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replace(/\\+(["'/\\])/g, '$1')
    .replace(/&(quot|amp|lt|gt|#39);/g, (entity, name: string) => ENTITIES[name] ?? entity)
    .replace(/(%[\da-f]{2})+/gi, (escaped) => {
      try {
        return decodeURIComponent(escaped);
      } catch {
        return escaped;
      }
    });
}
