import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Express, Request, Response } from 'express';

/** A header's name, as it is sent, and its value. */
export type HeaderField = [name: string, value: string];

declare module 'node:http' {
  // What its types leave out.
  interface OutgoingMessage {
    /** Makes the head of a message of its first line and its headers. */
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
 * Every response has `standing` headers. Node gets them as one text, behind the status line, and not
 * one by one, to be checked, kept, and written out again for each response. As soon as a response is
 * to have one of them otherwise, they are headers like all others. Without this, of the requests/s:
 * 0.86 on Node 20, 0.8 on Node 24.
 */
export function messageClasses(app: Express, standing: HeaderField[]) {
  const fields = new Map(standing.map((field) => [field[0].toLowerCase(), field]));
  const text = standing.map(([name, value]) => `${name}: ${value}\r\n`).join('');

  class ExpressRequest extends IncomingMessage {}

  class ExpressResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
    /** Those of the standing headers that Node does not know of: all, or none. */
    private standing: ReadonlyMap<string, HeaderField> = fields;

    override _storeHeader(statusLine: string, headers: unknown): void {
      super._storeHeader(this.standing === fields ? statusLine + text : statusLine, headers);
    }

    override setHeader(name: string, value: number | string | readonly string[]): this {
      this.tellNode(name);
      return super.setHeader(name, value);
    }

    override appendHeader(name: string, value: string | readonly string[]): this {
      this.tellNode(name);
      return super.appendHeader(name, value);
    }

    override removeHeader(name: string): void {
      this.tellNode(name);
      super.removeHeader(name);
    }

    override hasHeader(name: string): boolean {
      return super.hasHeader(name) || this.standing.has(name.toLowerCase());
    }

    override getHeader(name: string): number | string | string[] | undefined {
      return super.getHeader(name) ?? this.standing.get(name.toLowerCase())?.[1];
    }

    override getHeaders(): OutgoingHttpHeaders {
      const headers = super.getHeaders();
      for (const [key, [, value]] of this.standing) headers[key] = value;
      return headers;
    }

    override getHeaderNames(): string[] {
      return [...this.standing.keys(), ...super.getHeaderNames()];
    }

    override getRawHeaderNames(): string[] {
      return [...[...this.standing.values()].map(([name]) => name), ...super.getRawHeaderNames()];
    }

    override writeHead(status: number, ...rest: unknown[]): this {
      for (const name of rest.length > 0 ? fields.keys() : []) this.tellNode(name);
      return super.writeHead(status, ...(rest as []));
    }

    /** Makes the standing headers some of Node's own, where it is about to touch one of them. */
    private tellNode(name: string): void {
      if (this.headersSent || !this.standing.has(name.toLowerCase())) return;
      this.standing = new Map();
      for (const [field, value] of fields.values()) super.setHeader(field, value);
    }
  }

  app.request = Object.setPrototypeOf(ExpressRequest.prototype, app.request) as Request;
  app.response = Object.setPrototypeOf(ExpressResponse.prototype, app.response) as Response;
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}
