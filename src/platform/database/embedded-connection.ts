import { Duplex } from 'node:stream';
import type { PGlite } from '@electric-sql/pglite';

type Callback = (error?: Error | null) => void;

/** The socket of a `pg` client that is connected to an embedded database. */
export class EmbeddedConnection extends Duplex {
  constructor(private readonly database: PGlite) {
    super();
  }

  /** Called by `pg`. All connections share one session: ends the transaction of the previous one. */
  connect(): void {
    this.database
      .exec('rollback')
      .then(() => this.database.exec('discard all'))
      .then(
        () => this.emit('connect'),
        (error: unknown) => this.destroy(error as Error),
      );
  }

  // Called by `pg`. They have no effect, as there is no handle.
  setNoDelay(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {
    // Data is pushed when a message has been executed.
  }

  override _write(message: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    try {
      this.push(this.database.execProtocolRawSync(message));
      callback();
    } catch (error) {
      callback(error as Error);
    }
  }

  override _writev(messages: { chunk: Buffer }[], callback: Callback): void {
    this._write(Buffer.concat(messages.map(({ chunk }) => chunk)), 'utf8', callback);
  }

  override _final(callback: Callback): void {
    this.push(null);
    callback();
  }
}
