/** Bytes from a transport's output to its socket. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type WriteHandle, type WriteRequest, writeError, writeHandleOf } from './socket-handle.ts';

export interface SocketWriter {
  /** As {@link OutputSink.lend}. */
  lend(bytes: Buffer): number;
  readonly retained: boolean;
  readonly takesAtOnce: boolean;
  /** A write has failed: the socket ends with its error, and whatever is read as FIN is none. */
  readonly failed: boolean;
  /** Sends FIN behind what has been written. */
  end(): void;
}

/** @param onTaken told outside of `lend` how many bytes the socket holds from now on, see `Output.taken` */
export function createSocketWriter(socket: Socket, onTaken: (held: number) => void): SocketWriter {
  const handle = writeHandleOf(socket);
  return handle === null ? new StreamWriter(socket, onTaken) : new HandleWriter(socket, handle, onTaken);
}

/** Longer writes are followed: they are few, and the memory of what comes behind them is not pledged before it is needed. */
const UNFOLLOWED_BYTES = 16_384;

/**
 * Writes to the handle of a socket, past its Writable, which takes as long as encrypting a record. One write is under way
 * at a time, as TLS demands; what comes meanwhile waits here.
 *
 * The kernel takes nearly every write whole, but TLS says so only in the next turn, at the price of a call. So nobody asks
 * to be called where the kernel has taken the record already; the next write looks whether the last is done.
 */
export class HandleWriter implements SocketWriter {
  retained = false;
  failed = false;
  readonly #socket: Socket;
  readonly #handle: WriteHandle;
  /** The handle that the kernel takes from: under TLS another. */
  readonly #lowest: WriteHandle;
  readonly #tls: boolean;
  readonly #onTaken: (held: number) => void;
  /** The last write, if it was not done when it was made. */
  #request: WriteRequest | null = null;
  /** Of it, if it is followed. */
  #followedBytes = 0;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #ending = false;
  readonly #onDone = (status: number): void => {
    this.#request = null;
    if (status < 0) return this.#fail(status);
    this.#followedBytes = 0;
    while (this.#waiting.length > 0 && !this.failed && !this.#busy()) {
      const bytes = this.#waiting.shift() as Buffer;
      this.#waitingBytes -= bytes.length;
      this.#write(bytes);
    }
    if (this.failed) return;
    if (this.#waiting.length > 0) this.#follow();
    else if (this.#ending) this.end();
    this.#onTaken(this.#held);
  };

  constructor(socket: Socket, handle: WriteHandle, onTaken: (held: number) => void) {
    this.#socket = socket;
    this.#handle = handle;
    this.#tls = socket instanceof TLSSocket;
    this.#onTaken = onTaken;
    let lowest = handle;
    while (lowest._parent !== undefined) lowest = lowest._parent;
    this.#lowest = lowest;
  }

  /** TLS encrypts into memory of its own, whatever the kernel takes of that. */
  get takesAtOnce(): boolean {
    return this.#tls && !this.#busy();
  }

  lend(bytes: Buffer): number {
    this.retained = false;
    if (this.#socket.destroyed) return 0;
    const busy = this.#busy();
    if (this.failed) {
      this.#waitingBytes += bytes.length;
    } else if (busy) {
      this.#follow();
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
      this.retained = true;
    } else {
      this.#write(bytes);
    }
    return this.#held;
  }

  end(): void {
    this.#ending = true;
    // TLS would send FIN in front of a record that has not left.
    if (this.#busy()) this.#follow();
    else this.#socket.end();
  }

  get #held(): number {
    return this.#followedBytes + this.#waitingBytes;
  }

  #write(bytes: Buffer): void {
    const result = this.#handle.writeBuffer(null, bytes);
    const status = typeof result === 'number' ? result : result.writeStatus;
    if (status === 0) return;
    if (typeof result === 'number' || status !== null) {
      if (typeof status !== 'number')
        throw new Error('this version of Node does not say when a write is done');
      this.#waitingBytes += bytes.length;
      this.#fail(status);
      return;
    }
    this.#request = result;
    if (this.#tls && bytes.length <= UNFOLLOWED_BYTES && this.#lowest.writeQueueSize === 0) return;
    // The kernel reads from there; TLS has made a copy.
    result.buffer = bytes;
    this.retained = !this.#tls;
    this.#followedBytes = bytes.length;
    this.#follow();
  }

  /** The last write is not done. */
  #busy(): boolean {
    if (this.#request === null) return false;
    const status = this.#request.writeStatus;
    if (status === null) return true;
    this.#request = null;
    if (status < 0) this.#fail(status);
    return false;
  }

  #follow(): void {
    if (this.#request !== null) this.#request.oncomplete = this.#onDone;
  }

  #fail(status: number): void {
    this.failed = true;
    if (!this.#socket.destroyed) this.#socket.destroy(writeError(status));
  }
}

/** Writes as any version of Node offers it. */
export class StreamWriter implements SocketWriter {
  retained = false;
  readonly takesAtOnce: boolean;
  /** Node keeps the end from being told by itself. */
  readonly failed = false;
  readonly #socket: Socket;
  readonly #onWritten: () => void;

  constructor(socket: Socket, onTaken: (held: number) => void) {
    this.#socket = socket;
    this.takesAtOnce = socket instanceof TLSSocket;
    this.#onWritten = () => onTaken(socket.writableLength);
  }

  lend(bytes: Buffer): number {
    const socket = this.#socket;
    this.retained = false;
    if (socket.destroyed) return 0;
    const waits = socket.writableLength > 0;
    socket.write(bytes, this.#onWritten);
    // TLS encrypts at once what does not wait behind another write.
    this.retained = this.takesAtOnce ? waits : socket.writableLength > 0;
    return socket.writableLength;
  }

  end(): void {
    this.#socket.end();
  }
}
