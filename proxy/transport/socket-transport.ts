import type { Socket } from 'node:net';
import type { ResetReason } from '../exchange/stream.ts';
import { type FlushQueue, Output, type OutputSink } from './output.ts';
import type { PeerWatch } from './peer-watch.ts';
import { descriptorOf, type OnRead, resetOnDestroy } from './socket-handle.ts';
import { createSocketWriter, type SocketWriter } from './socket-writer.ts';
import type { Transport, TransportUser } from './transport.ts';

/** What all connections of a process share. */
export interface TransportShared {
  readonly queue: FlushQueue;
  /** From `createSharedReadBuffer`. */
  readonly readBuffer: Buffer;
  /** TCP keepalive: without a byte received for so long the kernel asks whether the peer is there, ms. */
  readonly keepaliveMs: number;
  /** Absent where the kernel cannot be asked: then it decides by itself when a peer is dead. */
  watch?: PeerWatch;
}

/**
 * High-water mark of connections that carry the requests of many: what does not fit into the output is kept stream by
 * stream, in memory that is not used again.
 */
export const SHARED_HIGH_WATER = 524_288;

/**
 * So much is read of a connection before it is the turn of others. libuv reads up to 32 times, 4 MiB: what a flood of
 * heads takes to work on, while everybody else waits.
 */
const SHARE_BYTES = 262_144;

/**
 * A socket as a {@link Transport}: reads go to the user (a codec, or whoever looks at the first bytes), what the output
 * collected goes to the socket when its queue says, mostly once per turn.
 *
 *   new ──attach──▶ open ──end()──▶ ending ──FIN of the peer──▶ closed
 *                    │                │
 *                    └── destroy(), error, RST of the peer ──▶ closed        `detach` leaves without closing
 */
export class SocketTransport implements Transport, OutputSink {
  readonly output: Output;
  /** Gets what is read; may be replaced at any time. */
  user: TransportUser;
  /** Bytes read since the beginning. */
  received = 0;
  #socket: Socket | null = null;
  #writer: SocketWriter | null = null;
  #state: 'new' | 'open' | 'ending' | 'closed' = 'new';
  #reason: ResetReason = 'connection-closed';
  /** Octets read since a flush, and which one it was: the nearest that there is to a turn of the event loop. */
  #share = 0;
  #sharedSince = 0;
  /** The user does not want to read. */
  #paused = false;
  /** The peer has sent FIN. */
  #ended = false;
  /** `received` at the last sign of life, and when that was; NaN before the first tick. */
  #heard = 0;
  #heardAt = Number.NaN;
  /** `output.written` of which the peer is known to have everything. */
  #delivered = 0;
  readonly #queue: FlushQueue;
  readonly #readBuffer: Buffer;
  readonly #watch: PeerWatch | undefined;
  readonly #onTaken: (held: number) => void;
  readonly #onEnding: () => void;
  readonly #onOthersServed: () => void;

  constructor(shared: TransportShared, user: TransportUser, highWater?: number) {
    this.output = new Output(this, shared.queue, highWater);
    this.user = user;
    this.#queue = shared.queue;
    this.#readBuffer = shared.readBuffer;
    this.#watch = shared.watch;
    this.#onTaken = held => {
      if (this.#state !== 'closed') this.output.taken(held);
    };
    // FIN leaves when the bytes that were read have been looked at: an end that a reset follows is RST alone, since a FIN
    // that is on its way cannot become one, and the peer would take the connection for half open.
    this.#onEnding = () => {
      if (this.#state === 'ending') this.#writer?.end();
    };
    this.#onOthersServed = () => {
      if (!this.#paused && this.#state !== 'closed') this.#socket?.resume();
    };
  }

  /** To be given to the socket when it is made, so that it reads into our buffers. */
  onread(): OnRead {
    return {
      buffer: this.#readBuffer,
      callback: (size, buffer) => {
        this.#count(size);
        if (this.#state === 'closed') return true;
        this.#queue.beginRead();
        this.user.receive((buffer as Buffer).subarray(0, size));
        this.#queue.endRead();
        return true;
      },
    };
  }

  /** Binds an open socket. `direct`: it was made with {@link onread}; otherwise its 'data' events are used. */
  attach(socket: Socket, direct: boolean): void {
    this.#socket = socket;
    this.#state = 'open';
    this.#writer = createSocketWriter(socket, this.#onTaken);
    if (!direct) {
      socket.on('data', (bytes: Buffer) => {
        this.#count(bytes.length);
        if (this.#state !== 'closed') this.user.receive(bytes);
      });
    }
    socket.on('end', () => {
      if (this.#writer?.failed === true) return;
      this.#ended = true;
      if (this.#state !== 'closed') this.user.receiveEnd();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') this.#reason = 'connection-reset';
      else if (error.code === 'ETIMEDOUT') this.#reason = 'connection-lost';
    });
    socket.on('finish', () => {
      if (this.#state !== 'closed') this.output.taken(0);
    });
    socket.on('close', () => this.#closed());
  }

  #count(octets: number): void {
    this.received += octets;
    const { flushes } = this.#queue;
    if (flushes === this.#sharedSince) this.#share += octets;
    else this.#share = octets;
    this.#sharedSince = flushes;
    if (this.#share < SHARE_BYTES || this.#paused || this.#socket === null) return;
    this.#share = 0;
    this.#socket.pause();
    setImmediate(this.#onOthersServed);
  }

  /** Gives the socket away, not reading and never written to; nothing more is told to the user. */
  detach(): Socket | null {
    const socket = this.#socket;
    if (socket === null || this.#state !== 'open') return null;
    this.#state = 'closed';
    this.#socket = null;
    socket.pause();
    this.output.close();
    return socket;
  }

  get socket(): Socket | null {
    return this.#socket;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.output.finish();
    process.nextTick(this.#onEnding);
  }

  crossedEnd(): boolean {
    if (this.#watch === undefined || this.#socket === null) return false;
    // FIN acknowledges all that had come before it was sent; what comes later to an end that is closed draws RST.
    return this.#watch.ask(descriptorOf(this.#socket)) !== 'delivered';
  }

  tick(nowMs: number): void {
    const watch = this.#watch;
    if (watch === undefined || this.#state === 'closed') return;
    if (this.received !== this.#heard || Number.isNaN(this.#heardAt)) {
      this.#heard = this.received;
      this.#heardAt = nowMs;
    }
    const { written } = this.output;
    const socket = this.#socket;
    if (socket === null) return;
    const silent = written !== this.#delivered && nowMs - this.#heardAt >= watch.silenceMs;
    const halfClosed = this.#ended && this.#state === 'open';
    if (!silent && !halfClosed) return;
    const state = watch.ask(descriptorOf(socket));
    if (state === 'reset' && halfClosed) {
      this.#reason = 'connection-reset';
      this.destroy();
    } else if (state === 'delivered') {
      this.#delivered = written;
    } else if (state === 'dead' && silent) {
      this.#reason = 'connection-lost';
      watch.onLost();
      this.destroy();
    }
  }

  destroy(): void {
    if (this.#state !== 'open' && this.#state !== 'ending') return;
    this.output.close();
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return;
    resetOnDestroy(socket);
    socket.destroy();
  }

  write(bytes: Buffer): number {
    return this.lend(bytes);
  }

  lend(bytes: Buffer): number {
    return this.#writer === null ? 0 : this.#writer.lend(bytes);
  }

  /** The bytes that {@link lend} was given last are still in use. */
  get retained(): boolean {
    return this.#writer?.retained === true;
  }

  get takesAtOnce(): boolean {
    return this.#writer?.takesAtOnce === true;
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.output.close();
    this.user.closed(this.#reason);
  }
}
