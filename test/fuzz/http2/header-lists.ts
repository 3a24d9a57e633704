/** Header lists, and blocks that say them in every way that HPACK has, with and without damage. */
import { huffmanEncode, huffmanLength } from '../../../proxy/http2/hpack/huffman.ts';
import type { Random } from '../http1/random.ts';

const NAMES = [
  ...Array.from({ length: 30 }, (_, i) => `x-${i}-${'n'.repeat(i)}`),
  'accept-encoding',
  'cache-control',
  'etag',
  'authorization',
  'user-agent',
];
const COMMON = ['gzip, deflate', 'no-cache', '', '0', 'v'.repeat(200), 'text/html; charset=utf-8'];

function text(random: Random, most: number): string {
  const length = random.below(most);
  let made = '';
  for (let i = 0; i < length; i++) {
    made += String.fromCharCode(random.below(10) === 0 ? 0x80 + random.below(128) : 0x21 + random.below(94));
  }
  return made;
}

/** Fields of one message without pseudo-header fields, flat; values latin1. */
export function headerList(random: Random): string[] {
  const list: string[] = [];
  for (let fields = random.below(12); fields > 0; fields--) {
    const long = random.below(40) === 0;
    list.push(
      random.pick(NAMES),
      random.below(3) === 0 ? text(random, long ? 3000 : 60) : random.pick(COMMON),
    );
  }
  return list;
}

export const PSEUDO = [':method', 'GET', ':scheme', 'http', ':authority', 'a.test', ':path', '/'];

function integer(bits: number, prefix: number, value: number): number[] {
  const most = (1 << prefix) - 1;
  if (value < most) return [bits | value];
  const octets = [bits | most];
  let rest = value - most;
  for (; rest >= 128; rest >>>= 7) octets.push((rest & 127) | 128);
  octets.push(rest);
  return octets;
}

function string(random: Random, value: string): Buffer {
  if (random.below(2) === 0) {
    return Buffer.concat([Buffer.from(integer(0, 7, value.length)), Buffer.from(value, 'latin1')]);
  }
  const length = huffmanLength(value);
  const coded = Buffer.alloc(length);
  huffmanEncode(value, coded, 0);
  return Buffer.concat([Buffer.from(integer(0x80, 7, length)), coded]);
}

/** GET / of the static table and a name of our own. */
const HEAD = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x06, 0x61, 0x2e, 0x74, 0x65, 0x73, 0x74]);
/** Literals: with indexing, without, never (RFC 7541 §6.2), and how many bits of the first octet are the index. */
const LITERALS = [
  [0x40, 6],
  [0x00, 4],
  [0x10, 4],
] as const;

/** An index of a field that a request may have: of the static table, or of what was added to the other, from 62. */
function fieldIndex(random: Random, table: WriterTable): number {
  const known = random.below(2) === 0 || table.entries === 0;
  return known ? random.pick([16, 19, 32, 58]) : 62 + random.below(table.entries);
}

/** What the writer of a connection's blocks knows of its table. */
export interface WriterTable {
  entries: number;
  bytes: number;
}

/** A block of HPACK written at random, which is valid. */
export function headerBlock(random: Random, table: WriterTable): Buffer {
  const parts: Buffer[] = [];
  for (let updates = random.below(8) === 0 ? 1 + random.below(2) : 0; updates > 0; updates--) {
    table.bytes = random.pick([0, 64, 4096]);
    // Whatever a smaller table keeps, it is not counted on.
    table.entries = 0;
    parts.push(Buffer.from(integer(0x20, 5, table.bytes)));
  }
  parts.push(HEAD);
  for (let fields = random.below(8); fields > 0; fields--) {
    if (random.below(2) === 0) {
      parts.push(Buffer.from(integer(0x80, 7, fieldIndex(random, table))));
      continue;
    }
    const [bits, prefix] = random.pick(LITERALS);
    const named = random.below(2) === 0;
    parts.push(Buffer.from(integer(bits, prefix, named ? fieldIndex(random, table) : 0)));
    if (!named) parts.push(string(random, random.pick(NAMES)));
    parts.push(string(random, random.below(2) === 0 ? text(random, 30) : random.pick(COMMON)));
    // Fewer than what may be evicted, so that these are there.
    if (bits === 0x40 && table.bytes === 4096 && table.entries < 8) table.entries++;
  }
  return Buffer.concat(parts);
}

/** Changes, inserts or removes a few octets. */
export function damage(bytes: Buffer, random: Random): Buffer {
  const octets = [...bytes];
  for (let times = random.below(3); times > 0 && octets.length > 0; times--) {
    const at = random.below(octets.length);
    const kind = random.below(4);
    if (kind < 2) octets[at] = random.below(256);
    else if (kind === 2) octets.splice(at, 0, random.pick([0, 0x1f, 0x20, 0x3f, 0x7f, 0x80, 0xff]));
    else octets.splice(at, 1);
  }
  return Buffer.from(octets);
}
