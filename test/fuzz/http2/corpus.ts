/** Connections to start from: each is what a client sends after its preface and SETTINGS. */
import { block, frame, GET, headers, POST, settings, uint32 } from '../../../proxy/http2/testing/wire.ts';
import type { Random } from '../http1/random.ts';

const INDEXED_GET = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x61]);

const CONNECTIONS: readonly Buffer[][] = [
  [headers(1, GET, true)],
  [headers(1, GET, true), headers(3, GET, true), headers(5, POST, false), frame(0, 1, 5, 'body')],
  [headers(1, [...POST, 'content-length', '8'], false), frame(0, 0, 1, 'hell'), frame(0, 1, 1, 'o, o')],
  [headers(1, POST, false), frame(0, 0, 1, 'x'), frame(1, 5, 1, block('x-trailer', 'yes'))],
  [headers(1, POST, false), frame(0, 9, 1, Buffer.from([3, 104, 105, 0, 0, 0]))],
  [
    frame(1, 1, 1, block(...GET).subarray(0, 7)),
    frame(9, 0, 1, block(...GET).subarray(7, 20)),
    frame(9, 4, 1, block(...GET).subarray(20)),
  ],
  [frame(1, 0x25, 1, Buffer.concat([Buffer.from([0, 0, 0, 0, 15]), block(...GET)]))],
  [frame(1, 0x2d, 1, Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 15]), block(...GET), Buffer.alloc(2)]))],
  [
    frame(1, 5, 1, INDEXED_GET),
    frame(1, 5, 3, Buffer.from([0x82, 0x86, 0x84, 0xbe])),
    frame(1, 5, 5, Buffer.from([0x3f, 0x01, 0x82, 0x86, 0x84, 0x41, 0x83, 0x1c, 0x64, 0x9f])),
  ],
  [headers(1, [...GET, 'cookie', 'a=1', 'cookie', 'b=2', 'te', 'trailers', 'accept', '*/*'], true)],
  [
    headers(
      1,
      [':method', 'GET', ':scheme', 'https', ':path', '/x?y', 'host', 'a.test:80', 'x-empty', ''],
      true,
    ),
  ],
  [headers(1, [':method', 'OPTIONS', ':scheme', 'http', ':authority', '[::1]:8080', ':path', '*'], true)],
  [headers(1, POST, false), frame(3, 0, 1, uint32(8)), headers(3, GET, true)],
  [
    frame(4, 0, 0, settings(3, 5, 4, 100, 5, 20_000)),
    headers(1, GET, true),
    frame(8, 0, 1, uint32(7)),
    frame(8, 0, 0, uint32(70)),
  ],
  [
    frame(6, 0, 0, 'abcdefgh'),
    frame(2, 0, 3, Buffer.from([0, 0, 0, 1, 7])),
    headers(3, GET, true),
    frame(7, 0, 0, uint32(0, 0)),
  ],
];

const INTERESTING = [0, 1, 2, 4, 5, 8, 9, 0x0a, 0x0d, 0x20, 0x3a, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xbe, 0xff];

/** One connection with some damage: octets changed, inserted, removed; frames repeated, dropped, exchanged. */
export function damaged(random: Random): Buffer {
  const parts = [...random.pick(CONNECTIONS)];
  if (random.below(3) === 0) parts.splice(random.below(parts.length + 1), 0, ...random.pick(CONNECTIONS));
  if (random.below(4) === 0) parts.push(random.pick(parts));
  if (random.below(4) === 0) parts.splice(random.below(parts.length), 1);
  const bytes = Array.from(Buffer.concat(parts));
  for (let i = random.below(4); i > 0 && bytes.length > 0; i--) {
    const at = random.below(bytes.length);
    const octet = random.below(2) === 0 ? random.pick(INTERESTING) : random.below(256);
    const kind = random.below(6);
    if (kind < 4) bytes[at] = octet;
    else if (kind === 4) bytes.splice(at, 0, octet);
    else bytes.splice(at, 1);
  }
  return Buffer.from(bytes);
}
