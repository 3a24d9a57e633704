/**
 * Decides which stream's bytes go next (RFC 9113 §5.2, §5.3): what fits the windows is written at once; what
 * does not waits in its stream, and streams that can send take turns, one frame each.
 */
import type { FieldLines } from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import { ByteQueue } from './byte-queue.ts';
import type { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW_BYTES } from './frame.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { Multiplexer } from './multiplexer.ts';
import type { Http2Stream } from './stream.ts';

/** Octets of one stream before the next has its turn. */
const QUANTUM_BYTES = 32_768;

export class SendScheduler {
  /** Octets that all streams together may send. */
  window = DEFAULT_WINDOW_BYTES;
  readonly #mux: Multiplexer;
  readonly #output: Output;
  readonly #writer: FrameWriter;
  readonly #guard: FloodGuard;
  /** Ring of streams that have octets queued and a window; the head is next. */
  #head: Http2Stream | null = null;

  constructor(mux: Multiplexer, output: Output, writer: FrameWriter, guard: FloodGuard) {
    this.#mux = mux;
    this.#output = output;
    this.#writer = writer;
    this.#guard = guard;
  }

  /** @returns false if something of the stream waits now */
  send(stream: Http2Stream, chunk: Buffer, end: boolean): boolean {
    if (stream.queue !== null && stream.queue.length > 0) return this.#enqueue(stream, chunk, end);
    const { length } = chunk;
    if (length === 0) {
      if (end) this.#write(stream, chunk, true);
      return true;
    }
    // Without a turn for other streams: they are in the ring because they cannot send.
    let sent = 0;
    while (sent < length) {
      const size = Math.min(length - sent, this.#most(stream));
      if (size <= 0 || !this.#output.writable) break;
      const part = size === length ? chunk : chunk.subarray(sent, sent + size);
      sent += size;
      this.#write(stream, part, end && sent === length);
    }
    return sent === length || this.#enqueue(stream, sent === 0 ? chunk : chunk.subarray(sent), end);
  }

  sendTrailers(stream: Http2Stream, fields: FieldLines): void {
    if (stream.queue !== null && stream.queue.length > 0) stream.queuedTrailers = fields;
    else this.#writeTrailers(stream, fields);
  }

  /** Credit came, or the output has room: lets streams take turns until one of them is used up. */
  pump(): void {
    while (this.#head !== null && this.window > 0 && this.#output.writable) {
      const stream = this.#head;
      this.#head = stream.nextReady;
      this.#sendQueued(stream);
      if (stream.blocked && stream.queue?.length === 0) {
        stream.blocked = false;
        if (stream.sending) stream.deliverWritable();
      }
    }
  }

  /** The window of the stream has changed. */
  refit(stream: Http2Stream): void {
    if (stream.sendWindow <= 0) this.#unlink(stream);
    else if (stream.queue !== null && stream.queue.length > 0) this.#link(stream);
  }

  /** The stream is closed: what it has queued is dropped. */
  remove(stream: Http2Stream): void {
    this.#unlink(stream);
    stream.queue?.clear();
    stream.queue = null;
    stream.queuedTrailers = null;
    stream.queuedEnd = false;
    stream.blocked = false;
  }

  /** Octets that the next frame of the stream may have. */
  #most(stream: Http2Stream): number {
    return Math.min(this.window, stream.sendWindow, this.#writer.maxFrameBytes);
  }

  #enqueue(stream: Http2Stream, chunk: Buffer, end: boolean): false {
    stream.queue ??= new ByteQueue(this.#mux.blocks);
    if (stream.queue.length === 0) stream.sentAt = this.#mux.now;
    if (chunk.length > 0) stream.queue.push(chunk);
    if (end) stream.queuedEnd = true;
    stream.blocked = true;
    if (stream.sendWindow > 0) this.#link(stream);
    return false;
  }

  /** One frame from the queue. */
  #sendQueued(stream: Http2Stream): void {
    const queue = stream.queue!;
    const chunk = queue.take(Math.min(this.#most(stream), QUANTUM_BYTES));
    const last = queue.length === 0;
    if (last || stream.sendWindow === chunk.length) this.#unlink(stream);
    const { queuedTrailers } = stream;
    this.#write(stream, chunk, last && stream.queuedEnd);
    if (last) queue.clear();
    if (last && queuedTrailers !== null) this.#writeTrailers(stream, queuedTrailers);
  }

  #write(stream: Http2Stream, chunk: Buffer, end: boolean): void {
    stream.sendWindow -= chunk.length;
    this.window -= chunk.length;
    stream.activeAt = stream.sentAt = this.#mux.now;
    this.#guard.dataSent();
    this.#writer.data(stream.id, chunk, end);
    if (end) this.#mux.ended(stream);
  }

  #writeTrailers(stream: Http2Stream, fields: FieldLines): void {
    this.#writer.headers(stream.id, fields, true);
    this.#mux.ended(stream);
  }

  #link(stream: Http2Stream): void {
    if (stream.ready) return;
    stream.ready = true;
    const head = this.#head;
    if (head === null) {
      this.#head = stream.nextReady = stream.previousReady = stream;
      return;
    }
    const tail = head.previousReady!;
    stream.nextReady = head;
    stream.previousReady = tail;
    tail.nextReady = stream;
    head.previousReady = stream;
  }

  #unlink(stream: Http2Stream): void {
    if (!stream.ready) return;
    stream.ready = false;
    if (stream.nextReady === stream) {
      this.#head = null;
    } else {
      stream.previousReady!.nextReady = stream.nextReady;
      stream.nextReady!.previousReady = stream.previousReady;
      if (this.#head === stream) this.#head = stream.nextReady;
    }
    stream.nextReady = stream.previousReady = null;
  }
}
