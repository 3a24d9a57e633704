/** An application that answers in frames of HTTP/2 as the test writes them, for what no library sends. */
import { tcpApp } from '../apps.ts';

const PREFACE_BYTES = 24;
const HEADERS = 1;
const END_STREAM = 1;
const END_HEADERS = 4;

/** RFC 9113 §4.1. */
export function frame(type: number, flags: number, stream: number, payload: readonly number[]): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

export function rst(stream: number, code: number): Buffer {
  return frame(3, 0, stream, [0, 0, 0, code]);
}

/** `:status: 200` is entry 8 of HPACK's static table. */
export function ok(stream: number): Buffer {
  return frame(HEADERS, END_STREAM | END_HEADERS, stream, [0x88]);
}

export function halfAnswer(stream: number): Buffer {
  return Buffer.concat([
    frame(HEADERS, END_HEADERS, stream, [0x88]),
    frame(0, 0, stream, [...Buffer.from('half')]),
  ]);
}

/** Calls `onRequest` for each HEADERS frame. `greetAfterMs`: before its SETTINGS. @returns its port */
export function framesApp(
  onRequest: (stream: number, write: (bytes: Buffer) => void) => void,
  greetAfterMs = 0,
): Promise<number> {
  return tcpApp(socket => {
    const greet = (): unknown => socket.write(frame(4, 0, 0, []));
    // Nothing may come before them (RFC 9113 §3.4).
    if (greetAfterMs === 0) greet();
    else setTimeout(greet, greetAfterMs);
    let received = Buffer.alloc(0);
    let at = PREFACE_BYTES;
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= at + 9 && received.length >= at + 9 + received.readUIntBE(at, 3)) {
        if (received[at + 3] === HEADERS)
          onRequest(received.readUInt32BE(at + 5), bytes => socket.write(bytes));
        at += 9 + received.readUIntBE(at, 3);
      }
    });
  });
}
