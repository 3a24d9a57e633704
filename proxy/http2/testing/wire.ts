/** Frames as a test writes and reads them, without the codec's own writer and reader. */
import { END_HEADERS, END_STREAM } from '../frame.ts';

export interface WireFrame {
  type: number;
  flags: number;
  id: number;
  payload: Buffer;
}

export function frame(type: number, flags: number, id: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, body]);
}

/** Cuts a byte stream into frames; a rest that is no whole frame throws. */
export function frames(bytes: Buffer): WireFrame[] {
  const found: WireFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) throw new Error('the bytes end inside a frame');
    const payload = bytes.subarray(at + 9, at + 9 + length);
    found.push({ type: bytes[at + 3], flags: bytes[at + 4], id: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return found;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length: number[] = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** Literals without indexing and without Huffman code. */
export function block(...fields: string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    parts.push(Buffer.from([0]), string(fields[i]), string(fields[i + 1]));
  }
  return Buffer.concat(parts);
}

export function headers(id: number, fields: string[], end: boolean): Buffer {
  return frame(1, END_HEADERS | (end ? END_STREAM : 0), id, block(...fields));
}

export const GET = [':method', 'GET', ':scheme', 'http', ':authority', 'a.test', ':path', '/'];
export const POST = [':method', 'POST', ':scheme', 'http', ':authority', 'a.test', ':path', '/'];

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32BE(value, i * 4));
  return bytes;
}

/** Settings as a payload: identifier, value, ... */
export function settings(...pairs: number[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * 3);
  for (let i = 0; i < pairs.length; i += 2) {
    bytes.writeUInt16BE(pairs[i], i * 3);
    bytes.writeUInt32BE(pairs[i + 1], i * 3 + 2);
  }
  return bytes;
}
