/** What hostile HTTP/2 clients do, and how it must end. RELIABILITY: rows C and D; CVE numbers where there are some. */
import { CLIENT_PREFACE } from '../../proxy/http2/frame.ts';
import { block, frame, headers, settings, uint32 } from '../../proxy/http2/testing/wire.ts';
import type { RawHttp2 } from './raw-http2.ts';

export interface Http2Attack {
  readonly name: string;
  /** SETTINGS of the attacker: identifier, value, ... */
  readonly greeting?: readonly number[];
  readonly run: (peer: RawHttp2) => Promise<void> | void;
  /**
   * `goaway`: the connection ends with this code. `reset`: stream 1 does, with one of these. `closed`: the connection is
   * dropped, since its peer does not read. `released`: that many streams are reset, whether or not it hears of that. `status`:
   * stream 1 is answered, and the connection goes on.
   */
  readonly ends:
    | { readonly goaway: number }
    | { readonly reset: readonly number[] }
    | { readonly closed: true }
    | { readonly released: number }
    | { readonly status: string };
  /** Under which of these names it is counted: limits, or protocol errors; none where nothing is wrong. */
  readonly counted: readonly string[];
  /** The clock moves on by so much when the attacker has said what it has to say, again and again. */
  readonly thenMs?: number;
  /** It says not even its preface. */
  readonly silent?: true;
}

const NO_ERROR = 0;
const PROTOCOL_ERROR = 1;
const FLOW_CONTROL_ERROR = 3;
const STREAM_CLOSED = 5;
const FRAME_SIZE_ERROR = 6;
const CANCEL = 8;
const COMPRESSION_ERROR = 9;
const ENHANCE_YOUR_CALM = 11;

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;
const END_HEADERS = 4;
const END_STREAM = 1;
const PADDED = 8;
const HEADER_TABLE_SIZE = 1;
const INITIAL_WINDOW_SIZE = 4;

/** `:status: 200` of the static table. */
const INDEXED_200 = '\x88';

const request = (path: string, method = 'GET'): string[] => [
  ':method',
  method,
  ':scheme',
  'http',
  ':authority',
  'a.test',
  ':path',
  path,
];
const GET = request('/');
const HANG = request('/hang');
const POST = request('/sink', 'POST');
const STREAM = request('/stream');

const id = (i: number): number => i * 2 + 1;
const ping = frame(PING, 0, 0, 'attacked');
const oneOctet = frame(DATA, 0, 1, 'x');
/** More than any limit. */
const anything = 2_000_000;

/** An entry of `octets` for the dynamic table: the literal that adds it, as `x`. */
function bigEntry(octets: number): Buffer {
  const length: number[] = [];
  for (let rest = octets - 127; ; rest >>>= 7) {
    length.push(rest >= 128 ? (rest & 127) | 128 : rest);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([0x40, 1, 0x78, 127, ...length]), Buffer.alloc(octets, 0x61)]);
}

/** Says nothing more once the connection is over; ends when the last frame has been judged. */
function flood(most: number, attack: (i: number) => Buffer[], first: Buffer[] = []) {
  return async (peer: RawHttp2): Promise<void> => {
    if (first.length > 0) peer.say(...first);
    await peer.repeat(most, attack);
  };
}

export const HTTP2_ATTACKS: readonly Http2Attack[] = [
  {
    name: 'rapid reset (CVE-2023-44487)',
    run: flood(anything, i => [headers(id(i), HANG, true), frame(RST_STREAM, 0, id(i), uint32(CANCEL))]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'MadeYouReset by WINDOW_UPDATE of 0 (CVE-2025-8671)',
    run: flood(anything, i => [headers(id(i), HANG, false), frame(WINDOW_UPDATE, 0, id(i), uint32(0))]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'MadeYouReset by a window above 2^31-1',
    run: flood(anything, i => [
      headers(id(i), HANG, false),
      frame(WINDOW_UPDATE, 0, id(i), uint32(0x7fff_ffff)),
    ]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'MadeYouReset by DATA after the end',
    run: flood(anything, i => [headers(id(i), HANG, true), frame(DATA, 0, id(i), 'x')]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'MadeYouReset by a Content-Length that is not kept',
    run: flood(anything, i => [
      headers(id(i), [...POST, 'content-length', '1'], false),
      frame(DATA, 1, id(i), 'xx'),
    ]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'malformed requests without end',
    run: flood(anything, i => [headers(id(i), [...GET, 'Upper', 'x'], true)]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'streams above the limit',
    run: async peer => {
      // Stream 1 is the first that is refused.
      peer.say(...Array.from({ length: 250 }, (_, i) => headers(id(i), HANG, true)));
      await peer.repeat(2000, i => [headers(id(i + 250), HANG, true)]);
      await peer.until(() => peer.over);
    },
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['maxConcurrentStreams'],
  },
  {
    name: 'CONTINUATION flood of small frames (CVE-2024-27316)',
    run: flood(anything, () => [frame(CONTINUATION, 0, 1, Buffer.from([0, 1, 0x78, 0]))], [
      frame(HEADERS, END_STREAM, 1, block(...GET)),
    ]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['maxContinuations'],
  },
  {
    name: 'CONTINUATION flood of empty frames',
    run: flood(anything, () => [frame(CONTINUATION, 0, 1)], [frame(HEADERS, END_STREAM, 1, block(...GET))]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['maxContinuations'],
  },
  {
    name: 'CONTINUATION flood of large frames',
    run: flood(1000, () => [frame(CONTINUATION, 0, 1, Buffer.alloc(16_384, 0x61))], [
      frame(HEADERS, END_STREAM, 1, block(...GET)),
    ]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['maxHeaderBlockBytes'],
  },
  {
    name: 'empty DATA flood (CVE-2019-9518)',
    run: flood(anything, () => [frame(DATA, 0, 1)], [headers(1, POST, false)]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['emptyData'],
  },
  {
    name: 'DATA of padding alone',
    run: flood(
      anything,
      () => [frame(DATA, PADDED, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]))],
      [headers(1, POST, false)],
    ),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['emptyData'],
  },
  {
    name: 'SETTINGS flood (CVE-2019-9515)',
    run: flood(anything, () => [frame(SETTINGS, 0, 0)]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['settings'],
  },
  {
    name: 'SETTINGS flood that changes the table',
    run: flood(anything, i => [frame(SETTINGS, 0, 0, settings(HEADER_TABLE_SIZE, (i & 1) * 65_536))]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['settings'],
  },
  {
    name: 'PING flood (CVE-2019-9512)',
    run: flood(anything, () => [ping]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['pings'],
  },
  {
    name: 'PRIORITY flood (CVE-2019-9513)',
    run: flood(anything, i => [frame(PRIORITY, 0, id(i), Buffer.from([0, 0, 0, 0, 1]))]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['priorities'],
  },
  {
    name: 'frames of unknown type without end',
    run: flood(anything, i => [frame(0x20 + (i & 0x3f), 0, 0, 'unknown')]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['priorities'],
  },
  {
    name: 'WINDOW_UPDATE flood',
    run: flood(anything, () => [frame(WINDOW_UPDATE, 0, 0, uint32(1))]),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['windowUpdates'],
  },
  {
    name: 'HPACK bomb',
    run: peer =>
      // One entry of 4,000 octets and 4 times 16,000 references of one octet: 64,000 × 4,000 octets.
      peer.say(
        frame(
          HEADERS,
          END_STREAM,
          1,
          Buffer.concat([block(...GET), bigEntry(4000), Buffer.alloc(8000, 0xbe)]),
        ),
        ...Array.from({ length: 3 }, () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_000, 0xbe))),
        frame(CONTINUATION, END_HEADERS, 1, Buffer.alloc(8000, 0xbe)),
      ),
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['maxDecodedBytes'],
  },
  {
    name: 'HPACK bomb of cookie crumbs (CVE-2026-47774)',
    run: peer => {
      const cookie = Buffer.concat([
        Buffer.from([0x40, 6]),
        Buffer.from('cookie'),
        Buffer.from([127, 0xa1, 0x1e]),
        Buffer.alloc(4000, 0x61),
      ]);
      peer.say(
        frame(
          HEADERS,
          END_STREAM | END_HEADERS,
          1,
          Buffer.concat([block(...GET), cookie, Buffer.alloc(10_000, 0xbe)]),
        ),
      );
    },
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['maxDecodedBytes'],
  },
  {
    name: 'broken HPACK',
    run: peer =>
      peer.say(frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]))),
    ends: { goaway: COMPRESSION_ERROR },
    counted: ['http2 COMPRESSION_ERROR'],
  },
  {
    name: 'a header list above the limit',
    run: peer => {
      const whole = block(...GET, ...Array.from({ length: 12 }, () => ['x', 'y'.repeat(12_000)]).flat());
      const parts: Buffer[] = [];
      for (let at = 0; at < whole.length; at += 16_000) parts.push(whole.subarray(at, at + 16_000));
      peer.say(
        ...parts.map((part, i) =>
          frame(
            i === 0 ? HEADERS : CONTINUATION,
            (i === 0 ? END_STREAM : 0) | (i === parts.length - 1 ? END_HEADERS : 0),
            1,
            part,
          ),
        ),
      );
    },
    ends: { status: '431' },
    counted: ['maxHeaderListBytes'],
  },
  {
    name: 'a header list of many fields',
    run: peer => peer.say(headers(1, [...GET, ...Array.from({ length: 900 }, () => ['x', '']).flat()], true)),
    ends: { status: '431' },
    counted: ['maxFieldCount'],
  },
  {
    name: 'large header lists on all streams',
    run: flood(anything, i => [headers(id(i), [...GET, 'x', 'y'.repeat(16_000)], true)]),
    greeting: [INITIAL_WINDOW_SIZE, 0],
    ends: { goaway: ENHANCE_YOUR_CALM },
    counted: ['resets'],
  },
  {
    name: 'a window of the connection above 2^31-1',
    run: peer => peer.say(frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff_ffff))),
    ends: { goaway: FLOW_CONTROL_ERROR },
    counted: ['http2 FLOW_CONTROL_ERROR'],
  },
  {
    name: 'an initial window above 2^31-1',
    run: peer => peer.say(frame(SETTINGS, 0, 0, settings(INITIAL_WINDOW_SIZE, 0x8000_0000))),
    ends: { goaway: FLOW_CONTROL_ERROR },
    counted: ['http2 FLOW_CONTROL_ERROR'],
  },
  {
    name: 'DATA beyond the window of a stream',
    run: peer => {
      peer.say(headers(1, request('/stall', 'POST'), false));
      for (let i = 0; i < 40; i++) peer.say(frame(DATA, 0, 1, Buffer.alloc(16_384)));
    },
    ends: { reset: [FLOW_CONTROL_ERROR] },
    counted: ['http2 FLOW_CONTROL_ERROR'],
  },
  {
    name: 'a stream opened again',
    run: async peer => {
      peer.say(headers(1, GET, true));
      await peer.until(() => peer.bytes.has(1) || peer.over);
      peer.say(headers(3, GET, true));
      await peer.until(() => peer.bytes.has(3) || peer.over);
      peer.say(headers(1, GET, true));
    },
    ends: { goaway: STREAM_CLOSED },
    counted: ['http2 STREAM_CLOSED'],
  },
  {
    name: 'a stream below the last one',
    run: peer => peer.say(headers(9, HANG, true), headers(3, GET, true)),
    ends: { goaway: PROTOCOL_ERROR },
    counted: ['http2 PROTOCOL_ERROR'],
  },
  {
    name: 'a frame above SETTINGS_MAX_FRAME_SIZE',
    run: peer => peer.say(frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.alloc(70_000))),
    ends: { goaway: FRAME_SIZE_ERROR },
    counted: ['http2 FRAME_SIZE_ERROR'],
  },
  {
    name: 'slow reading: windows of 0 on a hundred streams',
    greeting: [INITIAL_WINDOW_SIZE, 0],
    run: async peer => {
      peer.say(...Array.from({ length: 100 }, (_, i) => headers(id(i), STREAM, true)));
      await peer.until(() => peer.heads.size === 100 || peer.over);
    },
    thenMs: 61_000,
    ends: { reset: [CANCEL] },
    counted: ['flushStallMs'],
  },
  {
    name: 'slow reading: a socket that is not read',
    run: peer => {
      peer.socket.pause();
      const windows = [frame(WINDOW_UPDATE, 0, 0, uint32(0x7000_0000))];
      for (let i = 0; i < 20; i++) {
        windows.push(headers(id(i), STREAM, true), frame(WINDOW_UPDATE, 0, id(i), uint32(0x7000_0000)));
      }
      peer.say(...windows);
    },
    thenMs: 61_000,
    ends: { released: 20 },
    counted: ['flushStallMs'],
  },
  {
    name: 'a stream on which nothing is said',
    run: async peer => {
      peer.say(headers(1, request('/hang', 'POST'), false));
      await peer.roundTrip();
    },
    thenMs: 301_000,
    // The stream to the application is as old: if its time is over first, a 503 comes before the end of the request.
    ends: { reset: [CANCEL, NO_ERROR] },
    counted: ['streamIdleTimeoutMs'],
  },
  {
    name: 'a preface that is never ended',
    silent: true,
    run: peer => peer.say(CLIENT_PREFACE.subarray(0, 10)),
    thenMs: 11_000,
    ends: { closed: true },
    counted: ['prefaceTimeoutMs'],
  },
  {
    name: 'a header block that is never ended',
    run: async peer => {
      await peer.roundTrip();
      peer.say(frame(HEADERS, END_STREAM, 1, block(...GET)));
    },
    thenMs: 11_000,
    ends: { closed: true },
    counted: ['headerTimeoutMs'],
  },
  {
    name: 'a frame that is never ended',
    run: async peer => {
      await peer.roundTrip();
      peer.say(headers(1, GET, true).subarray(0, 20));
    },
    thenMs: 11_000,
    ends: { closed: true },
    counted: ['headerTimeoutMs'],
  },
  {
    name: 'sixty thousand DATA frames of one octet',
    run: async peer => {
      peer.say(headers(1, POST, false));
      // As many as the first window has room for: when there is more of it is for the application to say.
      await peer.repeat(60_000, () => [oneOctet]);
      peer.say(frame(DATA, END_STREAM, 1));
      await peer.until(() => peer.bytes.has(1) || peer.over);
    },
    ends: { status: INDEXED_200 },
    counted: [],
  },
];
