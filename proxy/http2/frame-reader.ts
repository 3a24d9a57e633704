/**
 * Cuts the bytes of a connection into frames (RFC 9113 §4). DATA is passed on in the pieces in which it
 * arrives and never copied; other frames are passed on whole, from the received bytes if they are whole there.
 *
 * States: at a frame boundary (`#headerBytes` of 9 are there) → inside DATA (pad length, data, padding) or
 * inside another frame that is being collected → at a frame boundary.
 */
import { FRAME_SIZE_ERROR, PROTOCOL_ERROR } from './error-code.ts';
import { DATA, FRAME_HEADER_BYTES, PADDED, readUint31 } from './frame.ts';

export interface FrameHandler {
  /** A DATA frame begins. @param length all of its payload, padding too: what flow control counts (§6.9.1) */
  onDataFrame(streamId: number, flags: number, length: number): void;
  /** Octets of the frame that are no data: the padding and its length octet. */
  onPadding(octets: number): void;
  /** Data of the frame: bytes[start, end). `last` with the frame's last octet of data, also if there is none. */
  onData(bytes: Buffer, start: number, end: number, last: boolean): void;
  /** Any other frame, its payload being bytes[start, end), which is only lent. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** The bytes are no frames: a connection error. Nothing more is reported if the handler calls {@link FrameReader.stop}. */
  onFrameError(code: number, text: string): void;
}

export class FrameReader {
  /** Frames begun since the beginning. */
  begun = 0;
  readonly #handler: FrameHandler;
  readonly #maxBytes: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #stopped = false;

  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Octets of DATA that are still to come, without padding; -1 outside of DATA. */
  #data = -1;
  #padding = 0;
  /** The pad length has not been read yet. */
  #padded = false;
  /** A frame that is being collected; null if none. */
  #partial: Buffer | null = null;
  #partialBytes = 0;

  /** @param maxBytes SETTINGS_MAX_FRAME_SIZE as advertised */
  constructor(handler: FrameHandler, maxBytes: number) {
    this.#handler = handler;
    this.#maxBytes = maxBytes;
  }

  /** Ignores all further bytes. */
  stop(): void {
    this.#stopped = true;
    this.#partial = null;
  }

  /** A frame that is no DATA has come in part, and takes memory until the rest comes. */
  get collecting(): boolean {
    return this.#partial !== null;
  }

  receive(bytes: Buffer, from: number): void {
    let pos = from;
    const { length } = bytes;
    while (pos < length && !this.#stopped) {
      if (this.#data >= 0) pos = this.#receiveData(bytes, pos);
      else if (this.#padding > 0) pos = this.#skipPadding(length, pos);
      else if (this.#partial !== null) pos = this.#collect(this.#partial, bytes, pos);
      else if (this.#headerBytes === 0 && length - pos >= FRAME_HEADER_BYTES) {
        pos = this.#begin(bytes, pos, bytes, pos + FRAME_HEADER_BYTES);
      } else pos = this.#collectHeader(bytes, pos);
    }
  }

  #collectHeader(bytes: Buffer, from: number): number {
    let pos = from;
    while (this.#headerBytes < FRAME_HEADER_BYTES && pos < bytes.length) {
      this.#header[this.#headerBytes++] = bytes[pos++];
    }
    if (this.#headerBytes < FRAME_HEADER_BYTES) return pos;
    this.#headerBytes = 0;
    return this.#begin(this.#header, 0, bytes, pos);
  }

  /** Reads the header at header[at]; its payload begins at bytes[pos]. */
  #begin(header: Uint8Array, at: number, bytes: Buffer, pos: number): number {
    this.begun++;
    const length = (header[at] << 16) | (header[at + 1] << 8) | header[at + 2];
    this.#type = header[at + 3];
    this.#flags = header[at + 4];
    this.#streamId = readUint31(header, at + 5);
    if (length > this.#maxBytes) {
      this.#handler.onFrameError(FRAME_SIZE_ERROR, `a frame of ${length} octets is above ${this.#maxBytes}`);
      return bytes.length;
    }
    if (this.#type === DATA) return this.#beginData(length, bytes, pos);
    const end = pos + length;
    if (end > bytes.length) {
      this.#partial = Buffer.allocUnsafe(length);
      this.#partialBytes = 0;
      return pos;
    }
    this.#handler.onFrame(this.#type, this.#flags, this.#streamId, bytes, pos, end);
    return end;
  }

  #beginData(length: number, bytes: Buffer, pos: number): number {
    const padded = (this.#flags & PADDED) !== 0;
    if (padded && length === 0) {
      this.#handler.onFrameError(FRAME_SIZE_ERROR, 'a padded DATA frame without a pad length');
      return bytes.length;
    }
    this.#handler.onDataFrame(this.#streamId, this.#flags, length);
    if (this.#stopped) return bytes.length;
    this.#data = length;
    this.#padded = padded;
    // A frame without data has no octet that would bring it to #receiveData.
    return length === 0 ? this.#deliver(bytes, pos, pos) : pos;
  }

  #receiveData(bytes: Buffer, from: number): number {
    let pos = from;
    if (this.#padded) {
      this.#padded = false;
      const padding = bytes[pos++];
      this.#data--;
      if (padding > this.#data) {
        this.#handler.onFrameError(PROTOCOL_ERROR, 'padding is longer than its DATA frame');
        return bytes.length;
      }
      this.#data -= padding;
      this.#padding = padding;
      this.#handler.onPadding(padding + 1);
      if (this.#data > 0 && pos === bytes.length) return pos;
    }
    return this.#deliver(bytes, pos, Math.min(bytes.length, pos + this.#data));
  }

  #deliver(bytes: Buffer, start: number, end: number): number {
    this.#data -= end - start;
    const last = this.#data === 0;
    if (last) this.#data = -1;
    this.#handler.onData(bytes, start, end, last);
    return end;
  }

  #skipPadding(length: number, pos: number): number {
    const skipped = Math.min(length - pos, this.#padding);
    this.#padding -= skipped;
    return pos + skipped;
  }

  #collect(partial: Buffer, bytes: Buffer, pos: number): number {
    const taken = Math.min(partial.length - this.#partialBytes, bytes.length - pos);
    bytes.copy(partial, this.#partialBytes, pos, pos + taken);
    this.#partialBytes += taken;
    if (this.#partialBytes < partial.length) return pos + taken;
    this.#partial = null;
    this.#handler.onFrame(this.#type, this.#flags, this.#streamId, partial, 0, partial.length);
    return pos + taken;
  }
}
