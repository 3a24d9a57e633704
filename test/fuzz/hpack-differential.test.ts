/**
 * HPACK against nghttp2's, through node:http2, both ways: what our encoder writes, nghttp2 reads as it was meant; what
 * nghttp2 writes, our decoder reads so; and blocks written at random and damaged are read alike or refused by both.
 *
 * `FUZZ_CASES` sets the number of lists (default 5000; a fifth of it damaged), `FUZZ_SEED` the seed. A failure prints its seed, with which
 * `FUZZ_SEED=... FUZZ_CASES=1` runs it alone.
 */
import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
  sensitiveHeaders,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { CLIENT_PREFACE } from '../../proxy/http2/frame.ts';
import { HeaderBlock } from '../../proxy/http2/header-block.ts';
import { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts';
import { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts';
import { ServerUnderTest } from '../../proxy/http2/testing/peers.ts';
import { block, frame, settings } from '../../proxy/http2/testing/wire.ts';
import { Http2Workspace } from '../../proxy/http2/workspace.ts';
import { FlushQueue, Output } from '../../proxy/transport/output.ts';
import { Random } from './http1/random.ts';
import { damage, headerBlock, headerList, PSEUDO } from './http2/header-lists.ts';
import { differs, NodeSide } from './http2/node-side.ts';

const CASES = Number(process.env['FUZZ_CASES'] ?? 5000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
/** Header lists of one connection, which share its tables. */
const LISTS = 200;
const BATCH = 25;
const LIMIT_MS = 60_000 + CASES * 20;
const TABLES = [0, 100, 4096, 16_384];
const HEADERS = 1;
const SETTINGS = 4;
const CONTINUATION = 9;
const HEADER_TABLE_SIZE = 1;
const THIRD_UPDATE = 'more than two dynamic table size updates';
const NO_CONTENT = Buffer.from([0x89]);

const connections = Array.from({ length: Math.ceil(CASES / LISTS) }, (_, i) => ({
  seed: SEED + i * LISTS,
  lists: Math.min(LISTS, CASES - i * LISTS),
}));

/** Cuts a header block into HEADERS and CONTINUATION. */
function framesOf(streamId: number, bytes: Buffer, endStream = true): Buffer {
  const most = 16_384;
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += most) {
    const last = at + most >= bytes.length ? 4 : 0;
    const first = at === 0;
    parts.push(
      frame(
        first ? HEADERS : CONTINUATION,
        last | (first && endStream ? 1 : 0),
        streamId,
        bytes.subarray(at, at + most),
      ),
    );
  }
  return Buffer.concat(parts);
}

/** What our encoder makes of the lists of a seed, for a peer whose table has so many octets. */
function encoded(seed: number, lists: number, tableBytes: number): { frames: Buffer[]; wanted: string[][] } {
  const random = new Random(seed);
  const workspace = new Http2Workspace();
  const output = new Output({ write: () => 0 }, new FlushQueue());
  const encoder = new HpackEncoder(output, workspace.sensitive, 16_384);
  encoder.limitTable(tableBytes);
  workspace.sensitive.add('x-3-nnn');
  const frames: Buffer[] = [];
  const wanted: string[][] = [];
  for (let i = 0; i < lists; i++) {
    if (random.below(30) === 0) encoder.limitTable(random.pick(TABLES.filter(size => size <= tableBytes)));
    const list = [...PSEUDO, ...headerList(random)];
    output.end = 0;
    encoder.begin(list.length / 2);
    encoder.fields(list);
    frames.push(framesOf(i * 2 + 1, Buffer.from(output.bytes.subarray(0, output.end))));
    wanted.push(list);
  }
  return { frames, wanted };
}

test(`${CASES} header lists from our encoder to nghttp2`, { timeout: LIMIT_MS }, async () => {
  for (const { seed, lists } of connections) {
    const tableBytes = new Random(seed).pick(TABLES);
    const { frames, wanted } = encoded(seed, lists, tableBytes);
    const seen: string[][] = [];
    const server = createHttp2Server({
      settings: { headerTableSize: tableBytes, maxHeaderListSize: 1_000_000 },
    });
    server.on('sessionError', () => {});
    const over = new Promise<void>(resolve => {
      server.on('session', session => session.on('close', resolve));
      server.on('stream', (stream: ServerHttp2Stream, _headers, _flags, raw) => {
        seen.push(raw as unknown as string[]);
        stream.on('error', () => {});
        stream.respond({ ':status': 204 }, { endStream: true });
        if (seen.length === lists) resolve();
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    // Its SETTINGS are there with the first bytes; only then may the table be as large as they say.
    socket.write(Buffer.concat([CLIENT_PREFACE, frame(SETTINGS, 0, 0)]));
    await once(socket, 'data');
    socket.resume();
    socket.write(Buffer.concat([frame(SETTINGS, 1, 0), ...frames]));
    await over;
    socket.destroy();
    server.close();
    for (const [i, list] of wanted.entries()) {
      if (
        seen[i] === undefined ||
        seen[i].some((text, at) => text !== list[at]) ||
        seen[i].length !== list.length
      ) {
        expect({ seed, list: i, tableBytes, read: seen[i] }).toEqual({
          seed,
          list: i,
          tableBytes,
          read: list,
        });
      }
    }
  }
});

/** Plays a server for node's client, and gives each whole header block to `onBlock`. */
function collectBlocks(socket: Socket, tableBytes: number, onBlock: (bytes: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  let parts: Buffer[] = [];
  let at = CLIENT_PREFACE.length;
  socket.on('error', () => {});
  socket.write(frame(SETTINGS, 0, 0, settings(HEADER_TABLE_SIZE, tableBytes)));
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (at + 9 <= rest.length && at + 9 + rest.readUIntBE(at, 3) <= rest.length) {
      const end = at + 9 + rest.readUIntBE(at, 3);
      const [type, flags] = [rest[at + 3], rest[at + 4]];
      const id = rest.readUInt32BE(at + 5);
      if (type === SETTINGS && (flags & 1) === 0) socket.write(frame(SETTINGS, 1, 0));
      if (type === HEADERS || type === CONTINUATION) {
        // node:http2 says a priority with a request.
        const skipped = type === HEADERS && (flags & 0x20) !== 0 ? 5 : 0;
        parts.push(rest.subarray(at + 9 + skipped, end));
        if ((flags & 4) !== 0) {
          onBlock(Buffer.concat(parts));
          parts = [];
          socket.write(frame(HEADERS, 5, id, NO_CONTENT));
        }
      }
      at = end;
    }
    rest = Buffer.from(rest.subarray(at));
    at = 0;
  });
}

/** node:http2 takes an object: each name once, and the pseudo-header fields first. */
function withoutRepeats(list: string[]): string[] {
  const once = new Map<string, string>();
  for (let i = 0; i < list.length; i += 2) once.set(list[i], list[i + 1]);
  return [...once].flat();
}

test(`${CASES} header lists from nghttp2 to our decoder`, { timeout: LIMIT_MS }, async () => {
  for (const { seed, lists } of connections) {
    const random = new Random(seed);
    const tableBytes = random.pick([4096, 4096, 16_384, 65_536]);
    const workspace = new Http2Workspace();
    const decoder = new HpackDecoder(workspace.strings, tableBytes);
    const decoded = new HeaderBlock(workspace.sensitive);
    const read: string[][] = [];
    const faults: string[] = [];
    const server = createServer(socket =>
      collectBlocks(socket, tableBytes, bytes => {
        decoded.begin(1_000_000, 1000, 1_000_000);
        const fault = decoder.decode(bytes, 0, bytes.length, decoded) || decoded.fault;
        if (fault !== '') faults.push(fault);
        read.push([decoded.method, decoded.path, ...decoded.fields]);
      }),
    );
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(session, 'remoteSettings');
    const wanted: string[][] = [];
    const closed: Promise<unknown>[] = [];
    for (let i = 0; i < lists; i++) {
      const fields = withoutRepeats(headerList(random));
      const headers: Record<string | symbol, unknown> = { ':path': `/${i}`, [sensitiveHeaders]: ['x-3-nnn'] };
      for (let k = 0; k < fields.length; k += 2) headers[fields[k]] = fields[k + 1];
      wanted.push(['GET', `/${i}`, ...fields]);
      const request = session.request(headers as Record<string, string>, { endStream: true });
      request.resume();
      closed.push(once(request, 'close'));
    }
    await Promise.all(closed);
    expect({ seed, faults, read }).toEqual({ seed, faults: [], read: wanted });
    session.destroy();
    server.close();
  }
});

const DAMAGED = Math.ceil(CASES / 5);

test(`${DAMAGED} damaged blocks: read alike by nghttp2, or refused by both`, {
  timeout: LIMIT_MS,
}, async () => {
  const node = new NodeSide();
  await node.start();
  let refused = 0;
  const workspace = new Http2Workspace();
  for (let first = 0; first < DAMAGED; first += BATCH) {
    const seeds = Array.from({ length: Math.min(BATCH, DAMAGED - first) }, (_, i) => SEED + first + i);
    const cases = seeds.map(seed => {
      const random = new Random(seed);
      const table = { entries: 0, bytes: 4096 };
      const blocks = Array.from({ length: 1 + random.below(3) }, () => headerBlock(random, table));
      blocks.push(damage(headerBlock(random, table), random));
      // What comes after a request of which one field is wrong still shows whether the tables agree.
      return Buffer.concat([...blocks, block(...PSEUDO)].map((bytes, i) => framesOf(i * 2 + 1, bytes)));
    });
    const theirs = await Promise.all(cases.map(bytes => node.parse(bytes)));
    for (const [i, bytes] of cases.entries()) {
      const ours = new ServerUnderTest({}, {}, true, workspace);
      ours.receive(bytes);
      const goaway = ours.errorOf(7) ?? -1;
      if (goaway >= 0) refused++;
      // RFC 7541 §4.2 has no more than two; nghttp2 does not mind.
      if (ours.observer.faults.some(fault => fault.includes(THIRD_UPDATE))) continue;
      const broken = (code: number): boolean => code === 9;
      const about = { seed: seeds[i], bytes: bytes.toString('hex') };
      expect({ ...about, compression: broken(goaway) }).toEqual({
        ...about,
        compression: broken(theirs[i].goaway),
      });
      for (const request of ours.handler.requests) {
        const { id } = request.stream as unknown as { id: number };
        const difference = differs(request, theirs[i].requests.get(id));
        expect({ ...about, difference }).toEqual({ ...about, difference: '' });
      }
    }
  }
  node.close();
  // The damage is neither too little nor too much to tell something.
  if (DAMAGED >= 1000) expect([refused > DAMAGED / 50, refused < DAMAGED / 1.5]).toEqual([true, true]);
});
