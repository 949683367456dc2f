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
  const defaults = new Map(defaultHeaders.map((field) => [field[0].toLowerCase(), field]));
  const serializedDefaults = serialize(defaultHeaders);
  /** Whether this Node version has `_storeHeader()`; otherwise each header is set separately. */
  let canAppendSerialized = true;

  const isDefault = (name: unknown) => defaults.has(String(name).toLowerCase());

  class ExpressRequest extends IncomingMessage {
    readonly [isReceived] = true;
  }

  class ExpressResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
    /** Whether the default headers have been set with `setHeader()`. */
    declare hasSetDefaults?: boolean;

    constructor(request: R, ...options: unknown[]) {
      super(request, ...(options as []));
      // An own property, because Express may replace the prototype.
      this._storeHeader = storeHeader;
      if (!canAppendSerialized) this.setDefaults();
    }

    override appendHeader(name: string, value: string | readonly string[]): this {
      if (isDefault(name)) this.setDefaults();
      return super.appendHeader(name, value);
    }

    override removeHeader(name: string): void {
      if (isDefault(name)) this.setDefaults();
      super.removeHeader(name);
    }

    override hasHeader(name: string): boolean {
      return super.hasHeader(name) || (!this.hasSetDefaults && isDefault(name));
    }

    override getHeader(name: string): number | string | string[] | undefined {
      const value = super.getHeader(name);
      return this.hasSetDefaults ? value : (value ?? defaults.get(name.toLowerCase())?.[1]);
    }

    override getHeaders(): OutgoingHttpHeaders {
      const headers = super.getHeaders();
      if (this.hasSetDefaults) return headers;
      const all = Object.create(null) as OutgoingHttpHeaders;
      for (const [key, [, value]] of defaults) all[key] = value;
      return Object.assign(all, headers);
    }

    override getHeaderNames(): string[] {
      return Object.keys(this.getHeaders());
    }

    override getRawHeaderNames(): string[] {
      const names = super.getRawHeaderNames();
      if (this.hasSetDefaults) return names;
      const others = defaultHeaders.map(([name]) => name).filter((name) => !super.hasHeader(name));
      return [...others, ...names];
    }

    override writeHead(status: number, ...rest: unknown[]): this {
      if (rest.length > 0) this.setDefaults();
      return super.writeHead(status, ...(rest as []));
    }

    private setDefaults(): void {
      if (this.hasSetDefaults || this.headersSent) return;
      this.hasSetDefaults = true;
      for (const [name, value] of defaultHeaders) {
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
    const replaced = names.filter((name) => defaults.has(name.toLowerCase()));
    const serialized =
      replaced.length === 0 ? serializedDefaults : serialize(omitHeaders(defaultHeaders, replaced));
    ServerResponse.prototype._storeHeader.call(this, statusLine + serialized, headers);
  }

  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request) as Request;
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response) as Response;
  const response = new ExpressResponse(new IncomingMessage(new Socket())).writeHead(200);
  canAppendSerialized = response._header?.includes(serializedDefaults) ?? false;
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}

/** Returns the names of headers passed to `writeHead()` as `[[name, value]]` or `[name, value]`. */
function getNames(headers: unknown[]): string[] {
  return headers
    .flat()
    .filter((_, i) => i % 2 === 0)
    .map(String);
}

function omitHeaders(fields: HeaderField[], names: string[]): HeaderField[] {
  const omitted = new Set(names.map((name) => name.toLowerCase()));
  return fields.filter(([name]) => !omitted.has(name.toLowerCase()));
}

function serialize(fields: HeaderField[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
