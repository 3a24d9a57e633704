/** HTTP/2 frames, read and written, without what they mean. Run: npx node bench/micro/frames.bench.ts */
import { type FrameHandler, FrameReader } from '../../proxy/http2/frame-reader.ts';
import { FrameWriter } from '../../proxy/http2/frame-writer.ts';
import { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts';
import { SensitiveNames } from '../../proxy/http2/hpack/sensitive-names.ts';
import { FlushQueue, Output } from '../../proxy/transport/output.ts';
import { measure, report } from './measure.ts';

const CALLS = 50_000;
const FRAMES = 64;
const HEADERS = 1;
const DATA = 0;

class Count implements FrameHandler {
  frames = 0;
  octets = 0;
  onDataFrame(): void {
    this.frames++;
  }
  onPadding(): void {}
  onData(_bytes: Buffer, start: number, end: number): void {
    this.octets += end - start;
  }
  onFrame(): void {
    this.frames++;
  }
  onFrameError(): void {
    throw new Error('the frames are broken');
  }
}

/** Nothing is flushed: the space is written again and again. */
class NoQueue extends FlushQueue {
  override add(): void {}
}

function frame(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(9 + length);
  bytes.writeUIntBE(length, 0, 3);
  bytes[3] = type;
  bytes.writeUInt32BE(1, 5);
  return bytes;
}

function read(name: string, bytes: Buffer): void {
  const count = new Count();
  const reader = new FrameReader(count, 16_384);
  report(
    name,
    measure(CALLS, () => {
      reader.receive(bytes, 0);
      return count.frames;
    }),
  );
  if (count.frames % FRAMES !== 0) throw new Error('frames were lost');
}

const all = (type: number, length: number): Buffer =>
  Buffer.concat(Array.from({ length: FRAMES }, () => frame(type, length)));

read(`read ${FRAMES} HEADERS of 20 octets`, all(HEADERS, 20));
read(`read ${FRAMES} DATA of 100 octets`, all(DATA, 100));
read(
  `read ${FRAMES} HEADERS and DATA in turn`,
  Buffer.concat(Array.from({ length: FRAMES / 2 }, () => [frame(HEADERS, 20), frame(DATA, 100)]).flat()),
);

const output = new Output({ write: () => 0 }, new NoQueue());
const writer = new FrameWriter(output, new HpackEncoder(output, new SensitiveNames(), 4096));

function write(name: string, one: (i: number) => void): void {
  report(
    name,
    measure(CALLS, () => {
      output.end = 0;
      for (let i = 0; i < FRAMES; i++) one(i);
      return output.end;
    }),
  );
}

const chunk = Buffer.alloc(100, 0x61);
const large = Buffer.alloc(16_384, 0x61);
const fields = ['content-type', 'application/grpc', 'server', 'app'];
write(`write ${FRAMES} HEADERS of 2 fields that repeat`, i => writer.headers(2 * i + 1, fields, false));
write(`write ${FRAMES} DATA of 100 octets`, i => writer.data(2 * i + 1, chunk, false));
write(`write ${FRAMES} DATA of 16 KiB`, i => writer.data(2 * i + 1, large, false));
write(`write ${FRAMES} WINDOW_UPDATE`, i => writer.windowUpdate(2 * i + 1, 65_535));
