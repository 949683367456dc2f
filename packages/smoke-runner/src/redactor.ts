/** Shorter header values, such as `yes`, are not secret. */
const MIN_SECRET_LENGTH = 4;

/** Shorter values occur in a log by chance. */
const MIN_LOG_SECRET_LENGTH = 8;

const MAX_TEXT_LENGTH = 2000;

/** Headers whose values are not secret. */
const PUBLIC_HEADERS =
  /^(accept.*|cache-control|connection|content-type|forwarded|host|origin|pragma|referer|trace(parent|state)|user-agent|x-forwarded-.*)$/i;

/** Removes the values of the request headers from everything that is printed. */
export class Redactor {
  private readonly secrets: string[];

  constructor(headers: [name: string, value: string][]) {
    this.secrets = headers
      .filter(([name]) => !PUBLIC_HEADERS.test(name))
      .flatMap(([name, value]) => [value, ...findCredentials(name, value)])
      .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
      // A response may repeat a value within a URL or within JSON.
      .flatMap((secret) => [
        secret,
        encodeURIComponent(secret),
        JSON.stringify(secret).slice(1, -1),
      ])
      // One secret may be a part of another.
      .sort((a, b) => b.length - a.length);
  }

  /** Returns whether a line of a log contains a secret. */
  containsSecret(line: string): boolean {
    return this.secrets.some(
      (secret) => secret.length >= MIN_LOG_SECRET_LENGTH && line.includes(secret),
    );
  }

  /** Returns a copy in which each string is a single line without secrets and control characters. */
  redact<T>(value: T): T {
    return JSON.parse(JSON.stringify(value), (_, item: unknown) =>
      typeof item === 'string' ? this.redactText(item) : item,
    ) as T;
  }

  private redactText(text: string): string {
    const line = this.secrets
      .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
      .replace(/[\s\p{Cc}]+/gu, ' ');
    return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}…` : line;
  }
}

/** Finds the parts of a header value that are secret on their own. */
function findCredentials(name: string, value: string): string[] {
  if (name.toLowerCase() === 'cookie') {
    return value.split(';').map((cookie) => cookie.replace(/^[^=]*=/, '').trim());
  }
  const [scheme = '', ...rest] = value.split(' ');
  const credentials = rest.join(' ');
  if (scheme.toLowerCase() !== 'basic') return [credentials];
  const userAndPassword = Buffer.from(credentials, 'base64').toString();
  return [credentials, userAndPassword, userAndPassword.replace(/^[^:]*:/, '')];
}
