/** Writes frames into the output of a connection (RFC 9113 §6). */
import type { FieldLines } from '../exchange/stream.ts';
import type { Output } from '../transport/output.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_BYTES,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts';
import type { HpackEncoder } from './hpack/encoder.ts';

/** Longest text in a GOAWAY. */
const DEBUG_TEXT_BYTES = 200;

export class FrameWriter {
  /** SETTINGS_MAX_FRAME_SIZE of the peer. */
  maxFrameBytes = DEFAULT_FRAME_BYTES;
  readonly #output: Output;
  readonly #encoder: HpackEncoder;
  /** The DATA frame written last: its stream, and where in the byte stream it begins and ends. */
  #dataStream = 0;
  #dataStart = 0;
  #dataEnd = -1;

  constructor(output: Output, encoder: HpackEncoder) {
    this.#output = output;
    this.#encoder = encoder;
  }

  /**
   * Begins HEADERS: the caller then encodes fields and calls {@link endHeaders} with what this returned.
   * @param fields how many fields will follow, at most
   */
  beginHeaders(fields: number): number {
    const output = this.#output;
    output.ensure(FRAME_HEADER_BYTES);
    output.end += FRAME_HEADER_BYTES;
    // A change of the table's size is written first, and is part of the block (RFC 7541 §4.2).
    const start = output.end;
    this.#encoder.begin(fields);
    return start;
  }

  /** @param start what {@link beginHeaders} returned */
  endHeaders(start: number, streamId: number, endStream: boolean): void {
    const length = this.#output.end - start;
    const flags = endStream ? END_STREAM : 0;
    if (length > this.maxFrameBytes) {
      this.#split(start, length, streamId, flags);
      return;
    }
    this.#header(start - FRAME_HEADER_BYTES, length, HEADERS, flags | END_HEADERS, streamId);
  }

  /** Trailers, and anything else that is only field lines. */
  headers(streamId: number, fields: FieldLines, endStream: boolean): void {
    const start = this.beginHeaders(fields.length >>> 1);
    this.#encoder.fields(fields);
    this.endHeaders(start, streamId, endStream);
  }

  /**
   * DATA; `chunk` fits the peer's frame size and the windows. What follows on DATA of the same stream in the same turn makes
   * that frame longer: pieces as small as a message or as a read would cost the peer a frame each.
   */
  data(streamId: number, chunk: Buffer, endStream: boolean): void {
    const output = this.#output;
    let length = chunk.length;
    if (this.#mayGrow(streamId, length)) {
      length += this.#dataEnd - this.#dataStart - FRAME_HEADER_BYTES;
    } else {
      output.ensure(FRAME_HEADER_BYTES + length);
      this.#dataStream = streamId;
      this.#dataStart = output.position;
      output.end += FRAME_HEADER_BYTES;
    }
    const flags = endStream ? END_STREAM : 0;
    this.#header(this.#dataStart - output.written, length, DATA, flags, streamId);
    if (chunk.length > 0) output.chunk(chunk);
    this.#dataEnd = output.position;
  }

  /** Whether the last thing in the output is DATA of the stream that has room for more. */
  #mayGrow(streamId: number, octets: number): boolean {
    const { position, written } = this.#output;
    return (
      position === this.#dataEnd &&
      streamId === this.#dataStream &&
      this.#dataStart >= written &&
      position - this.#dataStart - FRAME_HEADER_BYTES + octets <= this.maxFrameBytes
    );
  }

  reset(streamId: number, code: number): void {
    this.#begin(4, RST_STREAM, 0, streamId);
    this.#uint32(code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#begin(4, WINDOW_UPDATE, 0, streamId);
    this.#uint32(increment);
  }

  /** @param settings identifier, value, identifier, value, ... */
  settings(settings: readonly number[]): void {
    this.#begin(settings.length * 3, SETTINGS, 0, 0);
    for (let i = 0; i < settings.length; i += 2) {
      this.#output.bytes[this.#output.end++] = settings[i] >>> 8;
      this.#output.bytes[this.#output.end++] = settings[i];
      this.#uint32(settings[i + 1]);
    }
  }

  settingsAck(): void {
    this.#begin(0, SETTINGS, ACK, 0);
  }

  ping(high: number, low: number, ack: boolean): void {
    this.#begin(8, PING, ack ? ACK : 0, 0);
    this.#uint32(high);
    this.#uint32(low);
  }

  /** @param text ASCII, for the peer's log */
  goaway(lastStreamId: number, code: number, text: string): void {
    const debug = text.slice(0, DEBUG_TEXT_BYTES);
    this.#begin(8 + debug.length, GOAWAY, 0, 0);
    this.#uint32(lastStreamId);
    this.#uint32(code);
    this.#output.text(debug);
  }

  #begin(length: number, type: number, flags: number, streamId: number): void {
    this.#output.ensure(FRAME_HEADER_BYTES + length);
    this.#header(this.#output.end, length, type, flags, streamId);
    this.#output.end += FRAME_HEADER_BYTES;
  }

  #header(at: number, length: number, type: number, flags: number, streamId: number): void {
    const bytes = this.#output.bytes;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = streamId >>> 24;
    bytes[at + 6] = streamId >>> 16;
    bytes[at + 7] = streamId >>> 8;
    bytes[at + 8] = streamId;
  }

  #uint32(value: number): void {
    const bytes = this.#output.bytes;
    const at = this.#output.end;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.#output.end = at + 4;
  }

  /** A block longer than the peer's frames: HEADERS, then CONTINUATION frames made by moving the rest apart. */
  #split(start: number, length: number, streamId: number, flags: number): void {
    const output = this.#output;
    const max = this.maxFrameBytes;
    const more = Math.ceil(length / max) - 1;
    output.ensure(more * FRAME_HEADER_BYTES);
    for (let part = more; part > 0; part--) {
      const from = start + part * max;
      const partLength = Math.min(max, length - part * max);
      const to = from + part * FRAME_HEADER_BYTES;
      output.bytes.copyWithin(to, from, from + partLength);
      const last = part === more ? END_HEADERS : 0;
      this.#header(to - FRAME_HEADER_BYTES, partLength, CONTINUATION, last, streamId);
    }
    this.#header(start - FRAME_HEADER_BYTES, max, HEADERS, flags, streamId);
    output.end += more * FRAME_HEADER_BYTES;
  }
}
