import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Express, Request, Response } from 'express';

/** Marks requests that the HTTP server of an adapter has received. */
export const isReceived = Symbol('isReceived');

/** Name and value of a response header. */
export type HeaderField = [name: string, value: string];

declare module 'node:http' {
  // Not in @types/node.
  interface OutgoingMessage {
    /** The serialized status line and headers, once they are complete. */
    _header: string | null;
    /** Serializes the status line and headers. Undocumented, but unchanged since Node 0.x. */
    _storeHeader(statusLine: string, headers: unknown): void;
    getRawHeaderNames(): string[];
  }
}

/** Properties of the responses that {@link createMessageClasses} creates. */
export interface DefaultHeadersState {
  /** Headers that are sent unless the response sets others of their names. */
  defaults: DefaultHeaders;
  /** Whether the default headers have been set with `setHeader()`. */
  hasSetDefaults?: boolean;
}

/** Headers with their serialized text. */
export class DefaultHeaders {
  private readonly values: Map<string, string>;
  private readonly serialized: string;
  /** The text without some headers, by their names. */
  private readonly serializedWithout = new Map<string, string>();

  constructor(readonly fields: HeaderField[]) {
    this.values = new Map(fields.map(([name, value]) => [name.toLowerCase(), value]));
    this.serialized = serialize(fields);
  }

  has(name: unknown): boolean {
    return this.values.has(String(name).toLowerCase());
  }

  get(name: string): string | undefined {
    return this.values.get(name.toLowerCase());
  }

  /** Returns the text of the headers, except the ones that the response sets itself. */
  serialize(names: string[]): string {
    if (!names.some((name) => this.has(name))) return this.serialized;
    const replaced = names.filter((name) => this.has(name));
    const key = replaced.join().toLowerCase();
    const known = this.serializedWithout.get(key);
    if (known !== undefined) return known;
    const serialized = serialize(omitHeaders(this.fields, replaced));
    this.serializedWithout.set(key, serialized);
    return serialized;
  }
}

/**
 * Creates the request and response classes of the HTTP server:
 *
 * - Their prototypes are Express's `app.request` and `app.response`. Express sets these prototypes on
 *   every request and response. A change of the prototype makes V8 deoptimize the object.
 * - The default headers are serialized once and appended to the status line, instead of being
 *   validated, stored and serialized for each response.
 *
 * A response that sets, reads or removes one of the default headers behaves as if all had been set with
 * `setHeader()`. In an Express application that is called as a function instead of being mounted,
 * default headers can be replaced but not removed.
 *
 * @param defaultHeaders headers of every response, unless it sets them itself. Must not contain headers
 *   that Node interprets, such as `Connection`
 */
export function createMessageClasses(app: Express, defaultHeaders: HeaderField[]) {
  const initialDefaults = new DefaultHeaders(defaultHeaders);
  /** Whether this Node version has `_storeHeader()`; otherwise each header is set separately. */
  let canAppendSerialized = true;

  class ExpressRequest extends IncomingMessage {
    readonly [isReceived] = true;
  }

  class ExpressResponse<R extends IncomingMessage = IncomingMessage>
    extends ServerResponse<R>
    implements DefaultHeadersState
  {
    declare defaults: DefaultHeaders;
    declare hasSetDefaults?: boolean;

    constructor(request: R, ...options: unknown[]) {
      super(request, ...(options as []));
      // An own property, because Express may replace the prototype.
      this._storeHeader = storeHeader;
      this.defaults = initialDefaults;
      if (!canAppendSerialized) this.setDefaults();
    }

    override appendHeader(name: string, value: string | readonly string[]): this {
      if (!this.hasSetDefaults && this.defaults.has(name)) this.setDefaults();
      return super.appendHeader(name, value);
    }

    override removeHeader(name: string): void {
      if (!this.hasSetDefaults && this.defaults.has(name)) this.setDefaults();
      super.removeHeader(name);
    }

    override hasHeader(name: string): boolean {
      return super.hasHeader(name) || (!this.hasSetDefaults && this.defaults.has(name));
    }

    override getHeader(name: string): number | string | string[] | undefined {
      const value = super.getHeader(name);
      return this.hasSetDefaults ? value : (value ?? this.defaults.get(name));
    }

    override getHeaders(): OutgoingHttpHeaders {
      const headers = super.getHeaders();
      if (this.hasSetDefaults) return headers;
      const all = Object.create(null) as OutgoingHttpHeaders;
      for (const [name, value] of this.defaults.fields) all[name.toLowerCase()] = value;
      return Object.assign(all, headers);
    }

    override getHeaderNames(): string[] {
      return Object.keys(this.getHeaders());
    }

    override getRawHeaderNames(): string[] {
      const names = super.getRawHeaderNames();
      if (this.hasSetDefaults) return names;
      const others = this.defaults.fields
        .map(([name]) => name)
        .filter((name) => !super.hasHeader(name));
      return [...others, ...names];
    }

    override writeHead(status: number, ...rest: unknown[]): this {
      if (rest.length > 0) this.setDefaults();
      return super.writeHead(status, ...(rest as []));
    }

    private setDefaults(): void {
      if (this.hasSetDefaults || this.headersSent) return;
      this.hasSetDefaults = true;
      for (const [name, value] of this.defaults.fields) {
        if (!super.hasHeader(name)) super.setHeader(name, value);
      }
    }
  }

  function storeHeader(this: ExpressResponse, statusLine: string, headers: unknown): void {
    if (this.hasSetDefaults) {
      ServerResponse.prototype._storeHeader.call(this, statusLine, headers);
      return;
    }
    const names = Array.isArray(headers) ? getNames(headers) : Object.keys(headers ?? {});
    const serialized = this.defaults.serialize(names);
    ServerResponse.prototype._storeHeader.call(this, statusLine + serialized, headers);
  }

  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request) as Request;
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response) as Response;
  const response = new ExpressResponse(new IncomingMessage(new Socket())).writeHead(200);
  canAppendSerialized = response._header?.includes(initialDefaults.serialize([])) ?? false;
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}

/** Returns the names of headers passed to `writeHead()` as `[[name, value]]` or `[name, value]`. */
function getNames(headers: unknown[]): string[] {
  return headers
    .flat()
    .filter((_, i) => i % 2 === 0)
    .map(String);
}

/** Returns the headers except the given names, which are compared without case. */
export function omitHeaders(fields: HeaderField[], names: string[]): HeaderField[] {
  const omitted = new Set(names.map((name) => name.toLowerCase()));
  return fields.filter(([name]) => !omitted.has(name.toLowerCase()));
}

function serialize(fields: HeaderField[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
