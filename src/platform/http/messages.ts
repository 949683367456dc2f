import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Express, Request, Response } from 'express';

/** A header's name, as it is sent, and its value. */
export type HeaderField = [name: string, value: string];

declare module 'node:http' {
  // What its types leave out.
  interface OutgoingMessage {
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
 * Every response has the `standing` headers. Node gets them as one text, behind the status line, and
 * not one by one, to be checked, kept, and written out again for each response. As soon as a response
 * is to have one of them otherwise, Node is told of all. Without this, of the requests/s: 0.86 on
 * Node 20, 0.8 on Node 24.
 *
 * @param standing each name once; none that Node itself looks at, such as `Connection`
 */
export function messageClasses(app: Express, standing: HeaderField[]) {
  const fields = new Map(standing.map((field) => [field[0].toLowerCase(), field]));
  const allText = textOf(standing);
  // A Node that makes the head in another way is told of them with each response.
  let isAsked = false;

  class ExpressRequest extends IncomingMessage {}

  class ExpressResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
    /** Whether Node has been told of the standing headers: they are headers like all others then. */
    declare private isTold?: boolean;

    constructor(request: R) {
      super(request);
      // Its own, because an Express application that is called as a function changes the prototype.
      this._storeHeader = storeHeader;
      if (!isAsked) this.tellNode();
    }

    /** What of the standing headers Node has not been told of, as it is sent. */
    static standingTextOf(response: ServerResponse): string {
      if ((response as ExpressResponse).isTold) return '';
      if (response instanceof ExpressResponse) return allText;
      return textOf(standing.filter(([name]) => !response.hasHeader(name)));
    }

    override setHeader(name: string, value: number | string | readonly string[]): this {
      this.prepare(name);
      return super.setHeader(name, value);
    }

    override appendHeader(name: string, value: string | readonly string[]): this {
      this.prepare(name);
      return super.appendHeader(name, value);
    }

    override removeHeader(name: string): void {
      this.prepare(name);
      super.removeHeader(name);
    }

    override hasHeader(name: string): boolean {
      return super.hasHeader(name) || (!this.isTold && fields.has(name.toLowerCase()));
    }

    override getHeader(name: string): number | string | string[] | undefined {
      const value = super.getHeader(name);
      return this.isTold ? value : (value ?? fields.get(name.toLowerCase())?.[1]);
    }

    override getHeaders(): OutgoingHttpHeaders {
      const own = super.getHeaders();
      if (this.isTold) return own;
      const all = Object.create(null) as OutgoingHttpHeaders;
      for (const [key, [, value]] of fields) all[key] = value;
      return Object.assign(all, own);
    }

    override getHeaderNames(): string[] {
      const own = super.getHeaderNames();
      return this.isTold ? own : [...fields.keys(), ...own];
    }

    override getRawHeaderNames(): string[] {
      const own = super.getRawHeaderNames();
      return this.isTold ? own : [...standing.map(([name]) => name), ...own];
    }

    override writeHead(status: number, ...rest: unknown[]): this {
      if (rest.length > 0) this.tellNode();
      return super.writeHead(status, ...(rest as []));
    }

    /** Before a header is changed. */
    private prepare(name: unknown): void {
      if (!this.isTold && fields.has(String(name).toLowerCase())) this.tellNode();
    }

    private tellNode(): void {
      if (this.isTold || this.headersSent) return;
      this.isTold = true;
      for (const [name, value] of standing) super.setHeader(name, value);
    }
  }

  function storeHeader(this: ServerResponse, statusLine: string, headers: unknown): void {
    isAsked = true;
    const text = ExpressResponse.standingTextOf(this);
    ServerResponse.prototype._storeHeader.call(this, statusLine + text, headers);
  }

  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request) as Request;
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response) as Response;
  // Shows whether Node asks.
  new ExpressResponse(new IncomingMessage(new Socket())).writeHead(200);
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}

function textOf(fields: HeaderField[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
