import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Express, Request, Response } from 'express';

/** A header's name, as it is sent, and its value. */
export type HeaderField = [name: string, value: string];

declare module 'node:http' {
  // What its types leave out.
  interface OutgoingMessage {
    /** The head of a message, once it is made. */
    _header: string | null;
    /** Makes the head of a message of its first line and its headers. Undocumented, and very old. */
    _storeHeader(firstLine: string, headers: unknown): void;
    getRawHeaderNames(): string[];
  }
}

/**
 * The classes of the requests and responses of Node's server.
 *
 * Their prototypes *are* those that Express gives each request and response. Otherwise it changes the
 * prototypes of both each time, and V8 leaves its fast path for objects of which it no longer knows
 * the shape. Without this, of the requests/s: a third on Node 20, 0.8 on Node 24.
 *
 * Every response has the `standing` headers, except those of which it says something itself. Node gets
 * them as one text, behind the status line, and not one by one, to be checked, kept, and written out
 * again for each response. Without this, of the requests/s: 0.86 on Node 20, 0.8 on Node 24.
 *
 * An Express application that is called as a function, not mounted, gives a response a prototype that
 * knows nothing of this: the standing headers are sent all the same, and it can replace one, but not
 * take it away.
 *
 * @param standing each name once; none that Node itself looks at, such as `Connection`
 */
export function messageClasses(app: Express, standing: HeaderField[]) {
  const fields = new Map(standing.map((field) => [field[0].toLowerCase(), field]));
  const text = textOf(standing);
  /** Whether this version of Node makes the head as described; else it is told of each header. */
  let takesText = true;

  const isStanding = (name: unknown) => fields.has(String(name).toLowerCase());

  class ExpressRequest extends IncomingMessage {}

  class ExpressResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
    /** Whether Node has been told of the standing headers: they are headers like all others then. */
    declare isTold?: boolean;

    constructor(request: R, ...options: unknown[]) {
      super(request, ...(options as []));
      // Its own, so that it is there whatever the prototype is.
      this._storeHeader = storeHeader;
      if (!takesText) this.tellNode();
    }

    override appendHeader(name: string, value: string | readonly string[]): this {
      if (isStanding(name)) this.tellNode();
      return super.appendHeader(name, value);
    }

    override removeHeader(name: string): void {
      if (isStanding(name)) this.tellNode();
      super.removeHeader(name);
    }

    override hasHeader(name: string): boolean {
      return super.hasHeader(name) || (!this.isTold && isStanding(name));
    }

    override getHeader(name: string): number | string | string[] | undefined {
      const own = super.getHeader(name);
      return this.isTold ? own : (own ?? fields.get(name.toLowerCase())?.[1]);
    }

    override getHeaders(): OutgoingHttpHeaders {
      const own = super.getHeaders();
      if (this.isTold) return own;
      const all = Object.create(null) as OutgoingHttpHeaders;
      for (const [key, [, value]] of fields) all[key] = value;
      return Object.assign(all, own);
    }

    override getHeaderNames(): string[] {
      return Object.keys(this.getHeaders());
    }

    override getRawHeaderNames(): string[] {
      const own = super.getRawHeaderNames();
      if (this.isTold) return own;
      const others = standing.map(([name]) => name).filter((name) => !super.hasHeader(name));
      return [...others, ...own];
    }

    override writeHead(status: number, ...rest: unknown[]): this {
      if (rest.length > 0) this.tellNode();
      return super.writeHead(status, ...(rest as []));
    }

    private tellNode(): void {
      if (this.isTold || this.headersSent) return;
      this.isTold = true;
      for (const [name, value] of standing) {
        if (!super.hasHeader(name)) super.setHeader(name, value);
      }
    }
  }

  function storeHeader(this: ExpressResponse, statusLine: string, headers: unknown): void {
    const own = Array.isArray(headers) ? namesIn(headers) : Object.keys(headers ?? {});
    const replaced = own.map((name) => name.toLowerCase()).filter((name) => fields.has(name));
    const rest =
      replaced.length === 0
        ? text
        : textOf(standing.filter(([name]) => !replaced.includes(name.toLowerCase())));
    const all = this.isTold ? statusLine : statusLine + rest;
    ServerResponse.prototype._storeHeader.call(this, all, headers);
  }

  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request) as Request;
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response) as Response;
  const probe = new ExpressResponse(new IncomingMessage(new Socket())).writeHead(200);
  takesText = probe._header?.includes(text) ?? false;
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}

/** The names of headers that writeHead() was given as a list, of fields or of names and values. */
function namesIn(headers: unknown[]): string[] {
  return headers
    .flat()
    .filter((_, i) => i % 2 === 0)
    .map(String);
}

function textOf(fields: HeaderField[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
